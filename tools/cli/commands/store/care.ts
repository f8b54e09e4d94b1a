import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { askedStoreFlags, type JsonFlags, jsonFlags, parseCount, type StoreFlags, storeFlags } from "../../flags.ts";

export interface RecoverFlags extends StoreFlags, JsonFlags {
  readonly contents: boolean;
  readonly force: boolean;
}

export interface VerifyFlags extends StoreFlags, JsonFlags {
  readonly all: boolean;
  readonly contents: boolean;
  readonly checkContents: boolean;
  readonly repair: boolean;
  readonly from?: readonly string[];
  readonly sigsNeeded?: number;
}

export interface OptimiseFlags extends StoreFlags, JsonFlags {}

const switchOn = { kind: "boolean", default: false, withNegated: false } as const;

/** Verbs that look after a store as a whole. */
export const careRoutes = {
  optimise: buildCommand<OptimiseFlags, [], CliContext>({
    loader: async () => (await import("./optimise.ts")).default,
    parameters: { flags: { ...storeFlags, ...jsonFlags } },
    docs: { brief: "Save space by making one file of equal ones" },
  }),
  verify: buildCommand<VerifyFlags, string[], CliContext>({
    loader: async () => (await import("./verify.ts")).default,
    parameters: {
      flags: {
        ...askedStoreFlags,
        ...jsonFlags,
        all: { ...switchOn, brief: "All of the store, as when no path is given" },
        contents: { kind: "boolean", default: true, brief: "Hash what the objects hold" },
        checkContents: { ...switchOn, brief: "The same as --contents" },
        repair: { ...switchOn, brief: "Fetch or build again what is damaged or missing" },
        from: {
          kind: "parsed",
          parse: String,
          optional: true,
          variadic: true,
          placeholder: "STORE",
          brief: "A store to repair from, before those of the settings",
        },
        sigsNeeded: {
          kind: "parsed",
          parse: parseCount,
          optional: true,
          placeholder: "N",
          brief: "Trusted signatures that an object needs which its content does not certify",
        },
      },
      positional: {
        kind: "array",
        parameter: { brief: "A store path; all of the store when left out", placeholder: "STORE-PATH", parse: String },
      },
    },
    docs: {
      brief: "Compare store objects with what was recorded when they were registered",
      fullDescription:
        "The exit code is a sum: 1 when objects are damaged or missing, 2 when signatures are, 4 when something could not be read. Modes and times that were changed, and rows of objects that are gone and that nothing needs, are put right in passing.",
    },
  }),
  recover: buildCommand<RecoverFlags, [], CliContext>({
    loader: async () => (await import("./recover.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        ...jsonFlags,
        contents: { kind: "boolean", default: true, brief: "Hash every object before it counts as valid" },
        force: { ...switchOn, brief: "Make the database anew although it is whole" },
      },
    },
    docs: {
      brief: "Make a lost or damaged database anew",
      fullDescription:
        "Takes what is known about store objects from the journal beside the database, from what can be read of the database, and from objects whose path certifies what they hold. The old database is kept in a folder damaged-N beside it. Objects that are not whole are printed; they are no longer valid.",
    },
  }),
};
