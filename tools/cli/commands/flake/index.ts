import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  type BuildFlags,
  buildAliases,
  buildFlags,
  type JsonFlags,
  jsonFlags,
  type LockFlags,
  lockFlags,
  type StoreFlags,
  storeFlags,
} from "../../flags.ts";

export interface FlakeFlags extends StoreFlags, JsonFlags {
  /** Folder or reference of the flake. */
  readonly flake: string;
}

export interface CommitFlags {
  /** Commit the new lock file with a message that lists the changes. */
  readonly commitLockFile: boolean;
}

export interface PlatformFlags {
  /** Also outputs of other platforms than this machine's. */
  readonly allPlatforms: boolean;
}

export interface AskFlags extends StoreFlags, JsonFlags, LockFlags {}

const flakeFlag = {
  kind: "parsed",
  parse: String,
  default: ".",
  placeholder: "FLAKE",
  brief: "The flake: a folder, or a reference like github:OWNER/REPO",
} as const;

const commitFlag = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Commit the changed lock.json, with the changes as message",
} as const;

export interface ShowFlags extends AskFlags, PlatformFlags {}

export interface CheckFlags extends BuildFlags, JsonFlags, PlatformFlags {
  readonly build: boolean;
  readonly types: boolean;
}

export interface InitFlags extends StoreFlags, JsonFlags {
  readonly template: string;
}

export interface ArchiveFlags extends AskFlags {
  readonly to?: string;
  readonly dryRun: boolean;
}

const initFlags = {
  template: {
    kind: "parsed",
    parse: String,
    default: "default",
    placeholder: "TEMPLATE",
    brief: "What to begin with: FLAKE#NAME, or one of Floe's own: package, system, module, dev-shell, program",
  },
  ...storeFlags,
  ...jsonFlags,
} as const;

const allPlatforms = {
  kind: "boolean",
  default: false,
  withNegated: false,
  brief: "Outputs of all platforms, and not of this machine's alone",
} as const;

const oneFlake = {
  kind: "tuple",
  parameters: [
    {
      brief: "The flake: a folder, or a reference like github:OWNER/REPO",
      placeholder: "FLAKE",
      parse: String,
      default: ".",
    },
  ],
} as const;

const inputNames = {
  kind: "array",
  parameter: {
    brief: "Input to move, all of them when left out; NAME/INNER for an input of an input",
    placeholder: "INPUT",
    parse: String,
  },
} as const;

export const flakeCommands = buildRouteMap<string, CliContext>({
  routes: {
    lock: buildCommand<FlakeFlags & LockFlags & CommitFlags, [], CliContext>({
      loader: async () => (await import("./lock.ts")).lock,
      parameters: {
        flags: { flake: flakeFlag, commitLockFile: commitFlag, ...lockFlags, ...storeFlags, ...jsonFlags },
      },
      docs: {
        brief: "Lock inputs that are not locked yet",
        fullDescription:
          "Fetches inputs that have no entry in lock.json, or were declared otherwise since. Entries that fit never move.",
      },
    }),
    update: buildCommand<FlakeFlags & LockFlags & CommitFlags, string[], CliContext>({
      loader: async () => (await import("./lock.ts")).update,
      parameters: {
        flags: { flake: flakeFlag, commitLockFile: commitFlag, ...lockFlags, ...storeFlags, ...jsonFlags },
        positional: inputNames,
      },
      docs: {
        brief: "Move inputs to what their references mean now",
        fullDescription:
          "Moves the named inputs, or all of them, and prints old and new revisions with their dates, and what git calls the commits between.",
      },
    }),
    metadata: buildCommand<AskFlags, [string], CliContext>({
      loader: async () => (await import("./metadata.ts")).default,
      parameters: { flags: { ...lockFlags, ...storeFlags, ...jsonFlags }, positional: oneFlake },
      docs: { brief: "Show where a flake and its inputs come from" },
    }),
    types: buildCommand<AskFlags, [string], CliContext>({
      loader: async () => (await import("./types.ts")).default,
      parameters: { flags: { ...lockFlags, ...storeFlags, ...jsonFlags }, positional: oneFlake },
      docs: {
        brief: "Write what tsc and editors need to check a flake",
        fullDescription:
          "Writes .floe/tsconfig.json beside flake.config.ts, with the types of Floe and the options of the inputs' modules, and a tsconfig.json that extends it where there is none. lock and update keep it up.",
      },
    }),
    show: buildCommand<ShowFlags, [string], CliContext>({
      loader: async () => (await import("./show.ts")).default,
      parameters: { flags: { allPlatforms, ...lockFlags, ...storeFlags, ...jsonFlags }, positional: oneFlake },
      docs: { brief: "Show the outputs of a flake" },
    }),
    init: buildCommand<InitFlags, [], CliContext>({
      loader: async () => (await import("./init.ts")).init,
      parameters: { flags: initFlags, aliases: { t: "template" } },
      docs: {
        brief: "Begin a flake in this folder",
        fullDescription:
          "Copies the files of a template here. No file is written over; when one is in the way nothing is written. The " +
          "templates of a flake are listed by `floe flake show`.",
      },
    }),
    new: buildCommand<InitFlags, [string], CliContext>({
      loader: async () => (await import("./init.ts")).makeNew,
      parameters: {
        flags: initFlags,
        aliases: { t: "template" },
        positional: { kind: "tuple", parameters: [{ brief: "The new folder", placeholder: "DIR", parse: String }] },
      },
      docs: { brief: "Begin a flake in a new folder" },
    }),
    clone: buildCommand<AskFlags, [string, string], CliContext>({
      loader: async () => (await import("./clone.ts")).default,
      parameters: {
        flags: { ...lockFlags, ...storeFlags, ...jsonFlags },
        positional: {
          kind: "tuple",
          parameters: [
            {
              brief: "The flake: a reference like github:OWNER/REPO, a name, a folder",
              placeholder: "FLAKE",
              parse: String,
            },
            { brief: "The new folder", placeholder: "DIR", parse: String },
          ],
        },
      },
      docs: {
        brief: "Clone the repository of a flake",
        fullDescription:
          "Makes a clone with all of its history, to work in. ?ref=BRANCH is checked out as a branch; a tag, ?rev= and the newest version of a ?semver= by themselves.",
      },
    }),
    "prefetch-inputs": buildCommand<AskFlags, [string], CliContext>({
      loader: async () => (await import("./prefetch-inputs.ts")).default,
      parameters: { flags: { ...lockFlags, ...storeFlags, ...jsonFlags }, positional: oneFlake },
      docs: {
        brief: "Fetch all inputs of a flake into the store",
        fullDescription:
          "Fetches what is locked and not in the store, many at the same time, and prints the store paths.",
      },
    }),
    archive: buildCommand<ArchiveFlags, [string], CliContext>({
      loader: async () => (await import("./archive.ts")).default,
      parameters: {
        flags: {
          to: {
            kind: "parsed",
            parse: String,
            optional: true,
            placeholder: "URL",
            brief: "Copy to this store as well: https://…, file://…, s3://…, a directory",
          },
          dryRun: { kind: "boolean", default: false, withNegated: false, brief: "Copy nothing to that store" },
          ...lockFlags,
          ...storeFlags,
          ...jsonFlags,
        },
        positional: oneFlake,
      },
      docs: {
        brief: "Put a flake and all its inputs into a store",
        fullDescription:
          "Fetches the sources of a flake and of all its inputs, so that it can be evaluated without a network, and prints " +
          "their store paths. With --to they are copied to another store or cache.",
      },
    }),
    check: buildCommand<CheckFlags, [string], CliContext>({
      loader: async () => (await import("./check.ts")).default,
      parameters: {
        flags: {
          ...buildFlags,
          ...jsonFlags,
          allPlatforms,
          build: { kind: "boolean", default: true, brief: "Build the checks" },
          types: { kind: "boolean", default: true, brief: "Check the types" },
          keepGoing: {
            kind: "boolean",
            default: true,
            brief: "Build checks also when something else is wrong already (no: stop at the first that fails)",
          },
        },
        aliases: buildAliases,
        positional: oneFlake,
      },
      docs: {
        brief: "Check types, evaluate every output, and build the checks of a flake",
        fullDescription:
          "Checks the types of the flake, evaluates all of its outputs and builds its checks, and tells every fault at " +
          "once, each with its place. Machine tests are evaluated; `floe vm-test run` runs them.\n\n" +
          "Exit codes: 0 nothing is wrong, 1 something is.",
      },
    }),
  },
  docs: { brief: "Inputs, lock and outputs of a flake" },
});
