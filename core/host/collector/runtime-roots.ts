import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { DIGEST_CHARACTER, DIGEST_LENGTH, type GcGraph } from "../../store/index.ts";
import type { Root } from "./find-roots.ts";
import { unlessUnreadable } from "./unreadable.ts";

/**
 * A part of a path that begins with a digest. The name and what comes before do not matter: objects of a store below a
 * directory, or inside the sandbox of a build that is gone, are found just as well, and a name cut short too.
 */
const DIGESTS = new RegExp(`/(${DIGEST_CHARACTER}{${DIGEST_LENGTH}})-`, "g");

/** Programs the kernel starts by itself. */
const KERNEL_PROGRAMS = ["modprobe", "fbsplash", "poweroff_cmd"];

export interface RuntimeRootsOptions {
  /** Where processes are listed. Default `/proc`. */
  readonly proc?: string;
}

/** The digests that running processes mention, each with the first place it was found. */
export type RuntimeDigests = ReadonlyMap<string, string>;

/**
 * What running programs use: their program, directory, open files, mapped files and environment.
 *
 * Best effort: processes come and go, and those of others can only be seen by root. A name that is built at run time is
 * not seen.
 *
 * Source: Nix, `LocalStore::findRuntimeRoots`.
 */
export function findRuntimeDigests({ proc = "/proc" }: RuntimeRootsOptions = {}): RuntimeDigests {
  const found = new Map<string, string>();
  const scan = (text: string | undefined, from: string): void => {
    if (text === undefined) return;
    for (const [, digest] of text.matchAll(DIGESTS))
      if (!found.has(digest as string)) found.set(digest as string, from);
  };
  const read = (path: string): string | undefined => unlessUnreadable(() => readFileSync(path, "latin1"));
  for (const pid of readdirSync(proc)) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const process = `${proc}/${pid}`;
    for (const link of ["exe", "cwd", "root"]) {
      scan(
        unlessUnreadable(() => readlinkSync(`${process}/${link}`)),
        `${process}/${link}`,
      );
    }
    for (const fd of unlessUnreadable(() => readdirSync(`${process}/fd`)) ?? []) {
      scan(
        unlessUnreadable(() => readlinkSync(`${process}/fd/${fd}`)),
        `${process}/fd/${fd}`,
      );
    }
    for (const file of ["maps", "environ"]) scan(read(`${process}/${file}`), `${process}/${file}`);
  }
  for (const name of KERNEL_PROGRAMS) scan(read(`${proc}/sys/kernel/${name}`), `${proc}/sys/kernel/${name}`);
  return found;
}

/** The valid objects among what running programs mention. */
export function runtimeRoots(graph: GcGraph, digests: RuntimeDigests): Root[] {
  if (digests.size === 0) return [];
  return graph.paths.flatMap((path) => {
    const start = path.lastIndexOf("/") + 1;
    const from = digests.get(path.slice(start, start + DIGEST_LENGTH));
    return from === undefined ? [] : [{ path, from }];
  });
}
