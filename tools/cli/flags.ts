import { numberParser } from "@stricli/core";
import { CodedError, tryParseSize } from "../../core/base/index.ts";
import type { CliContext } from "./context.ts";

/** Which store a command works on. */
export interface StoreFlags {
  readonly store?: string;
}

export const storeFlags = {
  store: {
    kind: "parsed",
    parse: parseStoreFlag,
    optional: true,
    placeholder: "DIR",
    brief:
      "Use the store below this directory (DIR/nix/store) instead of the machine's own, or one by its address: local?root=DIR&read-only=true",
  },
} as const;

/** For commands that only ask: as {@link storeFlags}, and stores that are no directories as well. */
export const askedStoreFlags = {
  store: {
    kind: "parsed",
    parse: parseAskedStoreFlag,
    optional: true,
    placeholder: "STORE",
    brief:
      "Ask this store instead of the machine's own: a directory, or an address such as daemon or https://cache.example",
  },
} as const;

export interface JsonFlags {
  readonly json: boolean;
}

export const jsonFlags = {
  json: { kind: "boolean", default: false, withNegated: false, brief: "Print the result as JSON" },
} as const;

/** How an evaluation treats the lock. */
export interface LockFlags {
  readonly locked: boolean;
  readonly offline: boolean;
  readonly updateLockFile?: boolean;
  readonly writeLockFile?: boolean;
  /** `INPUT=FLAKE`; people write two words, see `program.ts`. */
  readonly overrideInput?: readonly string[];
  readonly inputsFrom?: readonly string[];
  readonly referenceLockFile?: string;
  readonly outputLockFile?: string;
  readonly acceptFlakeConfig?: boolean;
  readonly allowImportFromDerivation?: boolean;
  readonly evalProfile?: string;
  readonly debugger?: boolean;
  readonly debuggerOnWarn?: boolean;
  /** `FILE:LINE` each. */
  readonly break?: readonly string[];
}

const offline = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Ask nobody on the network, and download nothing",
} as const;

export const lockFlags = {
  locked: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Fail when lock.json does not fit flake.config.ts, instead of completing it",
  },
  offline,
  updateLockFile: {
    kind: "boolean",
    optional: true,
    brief: "Complete a lock.json that does not fit (no: as --locked)",
  },
  writeLockFile: {
    kind: "boolean",
    optional: true,
    brief: "Write what was completed to lock.json; no is the default where inputs are replaced",
  },
  overrideInput: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "INPUT FLAKE",
    brief: "Put another flake in the place of an input, or of an input of an input (b/c)",
  },
  inputsFrom: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "FLAKE",
    brief: "Let the inputs of a flake be names on this command line",
  },
  referenceLockFile: {
    kind: "parsed",
    parse: String,
    optional: true,
    placeholder: "FILE",
    brief: "Begin from this lock file instead of the flake's own",
  },
  outputLockFile: {
    kind: "parsed",
    parse: String,
    optional: true,
    placeholder: "FILE",
    brief: "Write the lock to this file instead of the flake's own",
  },
  acceptFlakeConfig: {
    kind: "boolean",
    optional: true,
    brief: "Use all settings that the flake carries, without a question (no: only those that can do no harm)",
  },
  allowImportFromDerivation: {
    kind: "boolean",
    optional: true,
    brief: "Build what the evaluation reads of outputs (readOutput); no: fail there",
  },
  evalProfile: {
    kind: "parsed",
    parse: String,
    optional: true,
    placeholder: "FILE",
    brief: "Write where the time of the evaluation went: FILE.cpuprofile, or collapsed stacks for flame graphs",
  },
  debugger: {
    kind: "boolean",
    optional: true,
    withNegated: false,
    brief: "Stop the evaluation at errors and at `debugger;`, and ask what to do (:? lists it)",
  },
  debuggerOnWarn: {
    kind: "boolean",
    optional: true,
    withNegated: false,
    brief: "Stop where the configuration calls console.warn, too",
  },
  break: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "FILE:LINE",
    brief: "Stop the evaluation at this line, too",
  },
} as const;

/** How much is said on stderr. */
export interface TalkFlags {
  readonly quiet: boolean;
  readonly verbose: boolean;
}

export const talkFlags = {
  quiet: { kind: "boolean", default: false, withNegated: false, brief: "Say nothing but errors" },
  verbose: { kind: "boolean", default: false, withNegated: false, brief: "Show the output of builders as it comes" },
} as const;

/** Which other stores may be asked, and how far they are believed. */
export interface SubstituteFlags {
  readonly substitute: boolean;
  readonly substituters?: readonly string[];
  readonly extraSubstituter?: readonly string[];
  readonly trustedKey?: readonly string[];
  readonly offline: boolean;
  readonly refresh: boolean;
}

export const substituteFlags = {
  substitute: { kind: "boolean", default: true, brief: "Take from other stores what they have built already" },
  substituters: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "URL",
    brief: "Stores to take from, in place of those of the settings",
  },
  extraSubstituter: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "URL",
    brief: "One more store to take from",
  },
  trustedKey: {
    kind: "parsed",
    parse: String,
    optional: true,
    variadic: true,
    placeholder: "NAME:KEY",
    brief: "Believe what this public key signed as well",
  },
  offline,
  refresh: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Ask again what distant stores have, instead of remembering it",
  },
} as const;

/** How builds are run. */
export interface BuildFlags extends StoreFlags, LockFlags, TalkFlags, SubstituteFlags {
  readonly maxJobs?: number;
  readonly cores: number;
  readonly keepFailed: boolean;
  readonly keepGoing: boolean;
  readonly rebuild: boolean;
  readonly sandbox?: boolean;
  readonly relaxedSandbox: boolean;
  readonly allowNewPrivileges?: boolean;
  readonly impureDerivations?: boolean;
  readonly maxProcessMemory?: number;
  readonly maxMemory?: number;
  readonly memoryBudget?: number;
  readonly postBuildHook?: string;
  readonly asyncPostBuildHook?: boolean;
  readonly diffHook?: string;
  readonly timeout?: number;
  readonly maxSilentTime?: number;
  readonly minFree?: number;
  readonly maxFree?: number;
  readonly fallback: boolean;
  readonly rounds: number;
  readonly logLines: number;
  readonly maxBuildLogSize?: number;
}

export const buildFlags = {
  ...storeFlags,
  ...lockFlags,
  ...talkFlags,
  ...substituteFlags,
  fallback: { kind: "boolean", default: true, brief: "Build what another store promised and did not give" },
  maxJobs: {
    kind: "parsed",
    parse: parseCount,
    optional: true,
    placeholder: "N",
    brief: "Builds that run at the same time (as many as there are processors when left out)",
  },
  cores: {
    kind: "parsed",
    parse: parseCount,
    default: "0",
    placeholder: "N",
    brief: "Processors offered to one build (NIX_BUILD_CORES); 0 means all",
  },
  keepFailed: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Keep the build directory of a failed build",
  },
  keepGoing: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Go on with other builds after one failed",
  },
  rebuild: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Build again what is there already and compare the results",
  },
  rounds: {
    kind: "parsed",
    parse: parseCount,
    default: "1",
    placeholder: "N",
    brief: "Make each build this many times and compare the results",
  },
  sandbox: { kind: "boolean", optional: true, brief: "Build inside the sandbox, as is the default" },
  relaxedSandbox: {
    kind: "boolean",
    default: false,
    withNegated: false,
    brief: "Let derivations with __noChroot build outside the sandbox",
  },
  allowNewPrivileges: {
    kind: "boolean",
    optional: true,
    brief: "Let programs of builders gain rights, by set-id bits for instance; not by default",
  },
  impureDerivations: {
    kind: "boolean",
    optional: true,
    brief: "Build derivations that are impure: with the network, and anew each time",
  },
  maxProcessMemory: {
    kind: "parsed",
    parse: parseSize,
    optional: true,
    placeholder: "SIZE",
    brief: "Most memory that one process of a builder may fill with its data (4G)",
  },
  maxMemory: {
    kind: "parsed",
    parse: parseSize,
    optional: true,
    placeholder: "SIZE",
    brief: "Most memory that all processes of one builder may use together (8G)",
  },
  memoryBudget: {
    kind: "parsed",
    parse: parseSize,
    optional: true,
    placeholder: "SIZE",
    brief:
      "Memory that builds at once may need together, as they say or as was seen (all of the machine when left out)",
  },
  postBuildHook: {
    kind: "parsed",
    parse: parseHookFlag,
    optional: true,
    placeholder: "PROGRAM",
    brief: "Run this program after each build, with DRV_PATH and OUT_PATHS",
  },
  asyncPostBuildHook: {
    kind: "boolean",
    optional: true,
    brief: "Begin with what needs a build while that program runs; not by default",
  },
  diffHook: {
    kind: "parsed",
    parse: parseHookFlag,
    optional: true,
    placeholder: "PROGRAM",
    brief: "Run this program on both results of a --rebuild that differ",
  },
  timeout: {
    kind: "parsed",
    parse: parseCount,
    optional: true,
    placeholder: "SECONDS",
    brief: "Longest time one build may take",
  },
  maxSilentTime: {
    kind: "parsed",
    parse: parseCount,
    optional: true,
    placeholder: "SECONDS",
    brief: "Longest time one build may print nothing",
  },
  minFree: {
    kind: "parsed",
    parse: parseSize,
    optional: true,
    placeholder: "SIZE",
    brief: "Collect the store in the background when less is free on its disk (5G); never when left out",
  },
  maxFree: {
    kind: "parsed",
    parse: parseSize,
    optional: true,
    placeholder: "SIZE",
    brief: "With --min-free: collect until so much is free",
  },
  logLines: {
    kind: "parsed",
    parse: parseCount,
    default: "25",
    placeholder: "N",
    brief: "Lines of a failed builder's output to show",
  },
  maxBuildLogSize: {
    kind: "parsed",
    parse: parseCount,
    optional: true,
    placeholder: "BYTES",
    brief: "Most that one builder may print; more makes it fail",
  },
} as const;

/** Short forms of {@link buildFlags}: `aliases: buildAliases` in a command's parameters. */
export const buildAliases = { j: "maxJobs", k: "keepGoing", K: "keepFailed", q: "quiet", L: "verbose" } as const;

/** Read a whole number >= 0. */
export function parseCount(text: string): number {
  const value = numberParser(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CodedError("cli.bad-number", `Cannot read "${text}" as a count: expected a whole number, 0 or more`);
  }
  return value;
}

/** Read an amount of space, as `10G`, `500MiB` or a number of bytes; units are powers of 1024. */
export function parseSize(text: string): number {
  const size = tryParseSize(text);
  if (size !== undefined) return size;
  throw new CodedError(
    "cli.bad-size",
    `Cannot read "${text}" as a size: expected a number and K, M, G or T, as in "10G"`,
  );
}

const AGE_UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Read how long ago, as `30d`, `2w` or `12h`; gives milliseconds. */
export function parseAge(text: string): number {
  const [, digits, unit] = /^([0-9]+)([hdw])$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw new CodedError(
      "cli.bad-age",
      `Cannot read "${text}" as an age: expected a number and h, d or w, as in "30d"`,
    );
  }
  return Number(digits) * (AGE_UNITS[unit] as number);
}

/** A program by its path; the empty text does without the one that the settings name. */
function parseHookFlag(this: CliContext, text: string): string {
  return text === "" || text.startsWith("/") ? text : `${this.cwd}/${text}`;
}

/** Whether a store is named by an address that leads to no directory of this machine. */
export function isStoreAddress(text: string): boolean {
  return !isLocalAddress(text) && (text.includes("://") || text === "daemon" || text.startsWith("daemon?"));
}

/** Whether a store of this machine is named by an address. A directory may have parameters, too: `DIR?read-only=true`. */
function isLocalAddress(text: string): boolean {
  return /^((auto|local|local-overlay)(:\/\/|$|(?=\?))|(?=\?))/.test(text);
}

function parseAskedStoreFlag(this: CliContext, text: string): string {
  return isStoreAddress(text) ? text : parseStoreFlag.call(this, text);
}

function parseStoreFlag(this: CliContext, text: string): string {
  if (isStoreAddress(text)) {
    throw new CodedError("cli.bad-store", `Cannot use "${text}" as a store: expected a store of this machine`, {
      hint: "Pass a directory; its store lies in DIR/nix/store. `floe store info`, `query`, `ping` and their like ask other stores too, `floe copy` copies.",
    });
  }
  return text.startsWith("/") || isLocalAddress(text) ? text : `${this.cwd}/${text}`;
}

/** What most commands work on: one installable or more. */
export const installables = {
  kind: "array",
  minimum: 1,
  parameter: { brief: "FLAKE#ATTRIBUTE, a .drv, or a store path", placeholder: "INSTALLABLE", parse: String },
} as const;
