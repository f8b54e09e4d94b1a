import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sortedText } from "../../core/base/index.ts";
import { collectGarbage, type GcReport } from "../../core/host/collector/index.ts";
import { removeTree } from "../../core/host/files/index.ts";
import { autoRootName, lockFileSync, openLocalStore } from "../../core/host/local-store/index.ts";
import { STORE_DIRECTORY } from "../../core/store/index.ts";
import type { Suite } from "./suite.ts";

interface Vectors {
  readonly paths: readonly {
    readonly path: string;
    readonly references: readonly string[];
    readonly deriver: string | null;
    readonly derivationOutputs?: Readonly<Record<string, string>>;
  }[];
  readonly autoRootNames: Readonly<Record<string, string>>;
  readonly cases: readonly GcCase[];
}

interface GcCase {
  readonly name: string;
  readonly settings: { readonly "keep-outputs": boolean; readonly "keep-derivations": boolean };
  /** Link → target. */
  readonly links: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly temporaryRoots: readonly string[];
  readonly staleTemporaryRoots: readonly string[];
  readonly unregistered: readonly string[];
  readonly expected: {
    readonly roots: Readonly<Record<string, readonly string[]>>;
    readonly live: readonly string[];
    readonly dead: readonly string[];
    readonly onDiskAfterwards: readonly string[];
    readonly removedLinks: readonly string[];
  };
}

const ZERO_HASH = `sha256:${"0".repeat(64)}`;
/** Names of temporary roots files; process numbers that the system does not give. */
const LIVING = "999999999";
const GONE = "999999998";

/** Each case in a store of its own: its roots are found, and it is collected. */
export async function runGc(vectors: Vectors, suite: Suite): Promise<void> {
  for (const [link, name] of Object.entries(vectors.autoRootNames)) {
    await suite.case(`auto root of ${link}`, (compare) => compare("name", autoRootName(link), name));
  }
  const folder = mkdtempSync(join(tmpdir(), "floe-gc-vectors-"));
  mkdirSync(join(folder, "proc"));
  makeStore(join(folder, "all"), vectors);
  for (const [number, each] of vectors.cases.entries()) {
    await suite.case(each.name, async (compare) => {
      const root = join(folder, String(number));
      try {
        cpSync(join(folder, "all"), root, { recursive: true, verbatimSymlinks: true });
        layOut(root, each);
        // Space set aside that takes none.
        writeFileSync(reserveOf(root), "");
        truncateSync(reserveOf(root), 8 * 1024 ** 2);
        const held = openSync(writeTemporaryRoots(root, LIVING, each.temporaryRoots), "r");
        lockFileSync(held, "exclusive", { wait: true });
        const stale = writeTemporaryRoots(root, GONE, each.staleTemporaryRoots);
        const options = {
          root,
          // Programs of this machine are none of the vector's.
          proc: join(folder, "proc"),
          settings: {
            keepOutputs: each.settings["keep-outputs"],
            keepDerivations: each.settings["keep-derivations"],
            keepBuildInputs: false,
          },
        };
        const planned = await collectGarbage({ ...options, dryRun: true });
        const done = await collectGarbage(options);
        closeSync(held);
        for (const [what, report] of [
          ["planned", planned],
          ["done", done],
        ] as const) {
          compare(`roots, ${what}`, rootsOf(report, root), sortKeys(each.expected.roots));
          compare(`live, ${what}`, sortedText(report.live), sortedText(each.expected.live));
          compare(`dead, ${what}`, sortedText(report.dead), sortedText(each.expected.dead));
          compare(`deleted, ${what}`, report.deleted, each.expected.dead.length);
        }
        compare("on disk", namesOf(root), sortedText(each.expected.onDiskAfterwards));
        const gone = Object.keys(each.links).filter((link) =>
          readdirSync(dirname(root + link)).every((name) => !link.endsWith(`/${name}`)),
        );
        compare("removed links", sortedText(gone), sortedText(each.expected.removedLinks));
        compare("the roots of a process that is gone", existsSync(stale), false);
      } finally {
        removeTree(root);
      }
    });
  }
  removeTree(folder);
}

function makeStore(root: string, { paths }: Vectors): void {
  openLocalStore({ root }).close();
  const database = new DatabaseSync(join(root, "nix/var/nix/db/db.sqlite"));
  const insert = database.prepare("insert into ValidPaths (path, hash, registrationTime, deriver) values (?, ?, 0, ?)");
  const refer = database.prepare(
    "insert into Refs select a.id, b.id from ValidPaths a, ValidPaths b where a.path = ? and b.path = ?",
  );
  const promise = database.prepare("insert into DerivationOutputs select id, ?, ? from ValidPaths where path = ?");
  database.exec("begin");
  for (const { path, deriver } of paths) insert.run(path, ZERO_HASH, deriver);
  for (const { path, references, derivationOutputs = {} } of paths) {
    for (const reference of references) refer.run(path, reference);
    for (const [name, output] of Object.entries(derivationOutputs)) promise.run(name, output, path);
  }
  database.exec("commit");
  database.close();
  for (const { path } of paths) writeFileSync(root + path, path);
  // It would be copied each time.
  rmSync(reserveOf(root));
}

function layOut(root: string, { links, files, unregistered }: GcCase): void {
  for (const path of unregistered) writeFileSync(root + path, path);
  for (const file of files) {
    mkdirSync(dirname(root + file), { recursive: true });
    writeFileSync(root + file, "");
  }
  for (const [link, target] of Object.entries(links)) {
    mkdirSync(dirname(root + link), { recursive: true });
    // Places outside of the store are those of the machine, here the folder.
    symlinkSync(
      target.startsWith("/") && !target.startsWith(`${STORE_DIRECTORY}/`) ? root + target : target,
      root + link,
    );
  }
}

function reserveOf(root: string): string {
  return join(root, "nix/var/nix/db/reserved");
}

function writeTemporaryRoots(root: string, pid: string, paths: readonly string[]): string {
  const file = join(root, "nix/var/nix/temproots", pid);
  writeFileSync(file, paths.map((path) => `${path}\0`).join(""));
  return file;
}

/** Path → the places that name it, each once, as the vectors write them. */
function rootsOf({ roots, temporaryRoots }: GcReport, root: string): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { path, from } of roots) (found[path] ??= []).push(from.slice(root.length));
  for (const { path } of temporaryRoots) (found[path] ??= []).push("{temp}");
  return sortKeys(Object.fromEntries(Object.entries(found).map(([path, from]) => [path, sortedText(new Set(from))])));
}

function sortKeys<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(sortedText(Object.keys(record)).map((key) => [key, record[key] as T]));
}

function namesOf(root: string): string[] {
  return sortedText(readdirSync(root + STORE_DIRECTORY).map((name) => `${STORE_DIRECTORY}/${name}`));
}
