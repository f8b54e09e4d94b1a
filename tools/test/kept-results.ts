import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, release } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT, sourceFiles } from "../checks/source-tree.ts";
import type { StageResult } from "./report.ts";

/** Files that take longer are not run again for nothing; the others are most of the files, and a small part of the time. */
const LONG_SECONDS = 10;

/** Whether there can be sandboxes; without them such a test proves less. */
const LIMITS = [
  "/proc/sys/user/max_user_namespaces",
  "/proc/sys/kernel/unprivileged_userns_clone",
  "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
];

type Counts = Pick<StageResult, "passed" | "skipped">;

/**
 * What long test files found of these very sources, in the user's cache, as machine tests have it: a checkout without it runs all.
 *
 * Everything a result may follow from is in its key: all files of the checkout, the dependencies' lock among them, the compiled
 * sandbox, Node, the kernel, the folders that the host's programs are in, and what the environment says to tests.
 */
export class KeptResults {
  readonly #folder: string;
  readonly #makeKey: () => string;
  readonly #key: string;

  constructor({
    folder = defaultFolder(),
    makeKey = keyOfAll,
  }: Partial<{ folder: string; makeKey: () => string }> = {}) {
    this.#folder = folder;
    this.#makeKey = makeKey;
    this.#key = makeKey();
  }

  /** What the tests of a file found when they passed with all as it is now; `undefined` when they have to run. */
  find(file: string): Counts | undefined {
    try {
      const { key, passed, skipped } = JSON.parse(readFileSync(this.#place(file), "utf8")) as Counts & { key: string };
      return key === this.#key ? { passed, skipped } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keep what was found if that took long, unless it failed, or something was changed since this was made. */
  keep(found: Iterable<{ readonly file: string; readonly result: StageResult; readonly seconds: number }>): void {
    if (this.#makeKey() !== this.#key) return;
    for (const { file, result, seconds } of found) {
      const { passed, failed, skipped } = result;
      if (seconds < LONG_SECONDS || failed > 0 || passed === 0) continue;
      const fresh = `${this.#place(file)}.${process.pid}`;
      try {
        mkdirSync(this.#folder, { recursive: true });
        writeFileSync(fresh, JSON.stringify({ key: this.#key, passed, skipped }));
        renameSync(fresh, this.#place(file));
      } catch {
        // Where nothing can be kept all is run again.
      }
    }
  }

  #place(file: string): string {
    return join(this.#folder, `${file.replaceAll("/", "-")}.json`);
  }
}

function defaultFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe/tests");
}

function keyOfAll(): string {
  const environment = Object.entries(process.env).filter(([name]) => /^(?:FLOE_|NIX_|EDITS$|SEED$)/.test(name));
  const host = [
    process.version,
    process.arch,
    release(),
    process.getuid?.(),
    (process.env["PATH"] ?? "").split(delimiter).map(describeFolder),
    LIMITS.map(readIfThere),
    environment.sort(),
  ];
  const hash = createHash("sha256").update(JSON.stringify(host));
  for (const file of [...sourceFiles(), "dist/floe-sandbox"])
    hash.update(`\0${file}\0`).update(digestOf(join(ROOT, file)));
  return hash.digest("hex");
}

function digestOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  const content = stat.isSymbolicLink() ? readlinkSync(path) : readFileSync(path);
  return `${stat.mode} ${createHash("sha256").update(content).digest("hex")}`;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "absent";
}

/** A program that comes, goes or becomes another one changes the time of its folder. */
function describeFolder(path: string): string {
  return `${path} ${statSync(path, { throwIfNoEntry: false })?.mtimeMs}`;
}
