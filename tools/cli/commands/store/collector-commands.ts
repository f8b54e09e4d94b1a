import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  type JsonFlags,
  jsonFlags,
  parseAge,
  parseCount,
  parseSize,
  type StoreFlags,
  storeFlags,
} from "../../flags.ts";

export interface GcFlags extends StoreFlags, JsonFlags {
  readonly dryRun: boolean;
  readonly max?: number;
  readonly maxFree?: number;
  readonly deleteOlderThan?: number;
  readonly keep?: number;
  readonly printRoots: boolean;
  readonly printLive: boolean;
  readonly printDead: boolean;
  readonly keepDerivations?: boolean;
  readonly keepOutputs?: boolean;
  readonly keepBuildInputs?: boolean;
}

export interface DeleteFlags extends StoreFlags, JsonFlags {
  readonly recursive: boolean;
  readonly alsoReferrers: boolean;
  readonly skipAlive: boolean;
  readonly ignoreLiveness: boolean;
  readonly dryRun: boolean;
}

const off = (brief: string) => ({ kind: "boolean", default: false, withNegated: false, brief }) as const;
const rule = (brief: string) => ({ kind: "boolean", optional: true, brief }) as const;
const size = (brief: string) =>
  ({ kind: "parsed", parse: parseSize, optional: true, placeholder: "SIZE", brief }) as const;

/** The commands that delete from a store. */
export const collectorCommands = {
  gc: buildCommand<GcFlags, [], CliContext>({
    loader: async () => (await import("./gc.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        ...jsonFlags,
        dryRun: off("Only say what would be deleted, and how much space that would free"),
        max: size("Stop when SIZE has been freed (10G, 500M)"),
        maxFree: size("Stop when SIZE is free on the store's disk"),
        deleteOlderThan: {
          kind: "parsed",
          parse: parseAge,
          optional: true,
          placeholder: "AGE",
          brief: "First forget generations of profiles older than this (30d, 2w, 12h), but for the one active then",
        },
        keep: {
          kind: "parsed",
          parse: parseCount,
          optional: true,
          placeholder: "N",
          brief: "First forget generations of profiles but for the newest N",
        },
        printRoots: off("Print what is named from outside the store, and where; delete nothing"),
        printLive: off("Print what would stay; delete nothing"),
        printDead: off("Print what would go; delete nothing"),
        keepDerivations: rule(
          "A live object keeps the derivation it came from (yes, unless the settings say otherwise)",
        ),
        keepOutputs: rule("A live derivation keeps its outputs (no)"),
        keepBuildInputs: rule("A derivation that a link names keeps what its builder needs (yes)"),
      },
    },
    docs: {
      brief: "Delete what nothing needs any more",
      fullDescription:
        "Delete store objects that no link below gcroots or profiles, no running program and no running command needs. " +
        "Builds may go on meanwhile. With --delete-older-than or --keep, old generations of all profiles are forgotten " +
        "first, never the current one nor the booted system; of both flags, a generation goes when both give it up. What keeps what can be set for good in " +
        "/etc/floe/settings.json: keepDerivations, keepOutputs, keepBuildInputs.",
    },
  }),
  delete: buildCommand<DeleteFlags, string[], CliContext>({
    loader: async () => (await import("./delete.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        ...jsonFlags,
        recursive: off("Also what nothing needs without them: dead objects they refer to"),
        alsoReferrers: off("Also what refers to them, unless it is in use"),
        skipAlive: off("Pass over what is in use instead of refusing"),
        ignoreLiveness: off("Delete what links and running programs need; never what other objects refer to"),
        dryRun: off("Only say what would be deleted, and how much space that would free"),
      },
      positional: {
        kind: "array",
        minimum: 1,
        parameter: { brief: "A store path", placeholder: "STORE-PATH", parse: String },
      },
    },
    docs: { brief: "Delete store objects that nothing needs, all of them or none" },
  }),
};
