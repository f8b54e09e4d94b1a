import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { findProgram } from "../process/index.ts";

/** Users and groups of the host that an ordinary user may give to processes of a name space. */
export interface SubordinateIds {
  /** Programs that map them. */
  readonly newuidmap: string;
  readonly newgidmap: string;
  readonly firstUid: number;
  readonly firstGid: number;
  readonly count: number;
}

/** What is there of them, or what is missing and what would help. */
export type SubordinateSupport =
  | { readonly kind: "available"; readonly ids: SubordinateIds }
  | { readonly kind: "missing"; readonly found: string; readonly hint: string };

/** Where to look. */
export interface FindSubordinateIdsOptions {
  /** Default: the one we run as. */
  readonly user?: { readonly name: string; readonly uid: number } | undefined;
  readonly subuid?: string | undefined;
  readonly subgid?: string | undefined;
  /** Directories of programs, separated by colons. Default `PATH`. */
  readonly path?: string | undefined;
}

/** Look for a range of `count` users and groups in `/etc/subuid` and `/etc/subgid`, and for what maps it. */
export function findSubordinateIds(count: number, options: FindSubordinateIdsOptions = {}): SubordinateSupport {
  const { user = ourselves(), subuid = "/etc/subuid", subgid = "/etc/subgid", path } = options;
  const [newuidmap, newgidmap] = ["newuidmap", "newgidmap"].map((name) => findProgram(name, path));
  if (newuidmap === undefined || newgidmap === undefined) {
    const name = newuidmap === undefined ? "newuidmap" : "newgidmap";
    return missing(`the program ${name} is not on the PATH`, "Install it: `apt-get install uidmap`, or shadow-utils.");
  }
  const found = { firstUid: firstOf(subuid, user, count), firstGid: firstOf(subgid, user, count) };
  for (const [file, first, flag] of [
    [subuid, found.firstUid, "--add-subuids"],
    [subgid, found.firstGid, "--add-subgids"],
  ] as const) {
    if (first !== undefined) continue;
    return missing(
      `"${file}" gives "${user.name}" no ${count} numbers in a row`,
      `Let root run \`usermod ${flag} 100000-${100_000 + count - 1} ${user.name}\`.`,
    );
  }
  return {
    kind: "available",
    ids: { newuidmap, newgidmap, count, ...(found as { firstUid: number; firstGid: number }) },
  };
}

function missing(found: string, hint: string): SubordinateSupport {
  return { kind: "missing", found, hint };
}

/**
 * First number of the first range that is long enough.
 *
 * Shape of the file: lines of `NAME-OR-NUMBER:FIRST:COUNT`. Source: subuid(5).
 */
function firstOf(file: string, { name, uid }: { name: string; uid: number }, count: number): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  for (const line of text.split("\n")) {
    const [, who, first, length] = /^([^:#]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim()) ?? [];
    if ((who === name || who === String(uid)) && Number(length) >= count) return Number(first);
  }
  return undefined;
}

function ourselves(): { name: string; uid: number } {
  const uid = process.getuid?.() ?? 0;
  try {
    return { name: userInfo().username, uid };
  } catch {
    // Not in the list of users.
    return { name: String(uid), uid };
  }
}
