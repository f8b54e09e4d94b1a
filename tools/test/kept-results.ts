import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir, release } from "node:os";
import { delimiter, join } from "node:path";
import { ROOT, sourceFiles } from "../checks/source-tree.ts";
import { isBundleCurrent } from "../../core/host/evaluator/index.ts";
import { ownSettingsPlaces, settingsFiles } from "../../core/host/process/index.ts";
import type { StageResult } from "./report.ts";

/** Files that take longer are not run again for nothing; the others are most of the files, and a small part of the time. */
const LONG_SECONDS = 10;

/** Whether there can be sandboxes; without them such a test proves less. */
const LIMITS = [
  "/proc/sys/user/max_user_namespaces",
  "/proc/sys/kernel/unprivileged_userns_clone",
  "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
];

/** Files that are no sources: what is compiled of C, the bundle as tests run it, and what npm writes down of all that it has installed. */
const MADE = [
  "dist/floe-sandbox",
  "dist/qemu-forks.so",
  "dist/floe-program.js",
  "dist/evaluator.cjs",
  "dist/engine-image.js",
  "node_modules/.package-lock.json",
];

/** What programs are told by files beside the user's and the machine's settings of Floe, below the user's home and of the machine. */
const CONFIGURED = {
  home: [
    ".netrc",
    ".gitconfig",
    ".ssh/config",
    ".config/git/config",
    ".config/nix/nix.conf",
    ".config/floe/registry.json",
  ],
  machine: ["/etc/gitconfig", "/etc/nix/nix.conf", "/etc/subuid", "/etc/subgid", "/etc/floe/registry.json"],
};

/** What the environment says to tests: how much they try, of what, and with which programs. */
const TELLS_TESTS = /^(?:FLOE_|NIX_|GIT_|NODE_OPTIONS$|EDITS$|FUZZ_RUNS$|ONLY_CASE$|RUNS$|SEED$|UPDATE_GOLDENS$)/;

type Counts = Pick<StageResult, "passed" | "skipped">;

export interface KeptResultsOptions {
  readonly folder?: string;
  /** What the tests are run with beside these sources, in words: what one thing passes says nothing of another one. Default: nothing. */
  readonly subject?: string;
  /** Whether tests of what comes out of the bundle are run. Default: where no source is newer. */
  readonly isBundled?: () => boolean;
  readonly makeKey?: () => string;
}

/**
 * What long test files found of these very sources, in the user's cache, as machine tests have it: a checkout without it runs all.
 *
 * Everything a result may follow from is in its key: all files of the checkout, what npm has installed, what is compiled of C, the bundle,
 * Node, the kernel and whether it has KVM, the host's programs, the settings of the user and of the machine, and what the environment says to tests.
 */
export class KeptResults {
  readonly #folder: string;
  readonly #subject: string;
  readonly #makeKey: () => string;
  readonly #key: string;

  constructor(options: KeptResultsOptions = {}) {
    const { folder = defaultFolder(), subject = "", isBundled = isBundleCurrent } = options;
    const { makeKey = () => keyOfAll(isBundled()) } = options;
    this.#folder = folder;
    this.#subject = subject;
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

  /** Keep what was found if that took long, unless something was changed since this was made. What failed is known no more. */
  keep(found: Iterable<{ readonly file: string; readonly result: StageResult; readonly seconds: number }>): void {
    if (this.#makeKey() !== this.#key) return;
    for (const { file, result, seconds } of found) {
      const { passed, failed, skipped } = result;
      const fresh = `${this.#place(file)}.${process.pid}`;
      try {
        if (failed > 0) rmSync(this.#place(file), { force: true });
        if (seconds < LONG_SECONDS || failed > 0 || passed === 0) continue;
        mkdirSync(this.#folder, { recursive: true });
        writeFileSync(fresh, JSON.stringify({ key: this.#key, passed, skipped }));
        renameSync(fresh, this.#place(file));
      } catch {
        // Where nothing can be kept all is run again.
      }
    }
  }

  #place(file: string): string {
    const name = `${this.#subject === "" ? "" : `${this.#subject}-`}${file}`;
    return join(this.#folder, `${name.replaceAll("/", "-")}.json`);
  }
}

function defaultFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "floe/tests");
}

function keyOfAll(isBundled: boolean): string {
  const environment = Object.entries(process.env).filter(([name]) => TELLS_TESTS.test(name));
  const places = (process.env["PATH"] ?? "").split(delimiter).filter((place) => existsSync(place));
  const folders = [...new Set(places.map((place) => realpathSync(place)))];
  const host = [
    process.version,
    process.arch,
    release(),
    process.getuid?.(),
    folders.map((folder) => [folder, ...describeFolder(folder)]),
    LIMITS.map(readIfThere),
    existsSync("/dev/kvm"),
    isBundled,
    configurationFiles().map(readIfOpen),
    environment.sort(),
  ];
  const hash = createHash("sha256").update(JSON.stringify(host));
  for (const file of [...sourceFiles(), ...MADE]) hash.update(`\0${file}\0`).update(digestOf(join(ROOT, file)));
  return hash.digest("hex");
}

/** Files that programs which tests run may follow, there or not. */
function configurationFiles(): readonly string[] {
  const { environment, home } = ownSettingsPlaces();
  const { XDG_CONFIG_HOME: config } = environment;
  const own = CONFIGURED.home.map((name) => join(home, name));
  const moved = config === undefined ? [] : own.map((file) => file.replace(join(home, ".config"), () => config));
  return [...settingsFiles({ environment, home }), ...new Set([...own, ...moved]), ...CONFIGURED.machine];
}

function digestOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return "absent";
  // A checkout inside of this one, which has no sources of ours.
  if (stat.isDirectory()) return "a folder";
  const content = stat.isSymbolicLink() ? readlinkSync(path) : readFileSync(path);
  return `${stat.mode} ${createHash("sha256").update(content).digest("hex")}`;
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "absent";
}

/** The content of a file, wherever its name leads. One that others may read alone says nothing to what we run. */
function readIfOpen(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return "absent";
  }
}

/** Its programs by name, size and time. The time of the folder itself changes also where somebody's lock comes and goes. */
function describeFolder(folder: string): readonly string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const stat = statSync(join(folder, name), { throwIfNoEntry: false });
      return `${name} ${stat?.size} ${stat?.mtimeMs}`;
    });
}
