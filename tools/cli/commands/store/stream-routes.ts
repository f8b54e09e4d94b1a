import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface ExportFlags extends StoreFlags {
  readonly recursive: boolean;
}

export interface ImportFlags extends StoreFlags, JsonFlags {}

const some = (brief: string) =>
  ({ kind: "array", parameter: { brief, placeholder: "STORE-PATH", parse: String } }) as const;

/** Verbs for streams that carry store objects from one store to another. */
export const streamRoutes = {
  export: buildCommand<ExportFlags, string[], CliContext>({
    loader: async () => (await import("./export.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        recursive: { kind: "boolean", default: false, withNegated: false, brief: "Everything they refer to as well" },
      },
      aliases: { r: "recursive" },
      positional: { ...some("A store path"), minimum: 1 },
    },
    docs: { brief: "Write store objects to stdout as one stream, as `nix-store --export` does" },
  }),
  import: buildCommand<ImportFlags, [], CliContext>({
    loader: async () => (await import("./import.ts")).default,
    parameters: { flags: { ...storeFlags, ...jsonFlags } },
    docs: { brief: "Take in store objects from a stream on stdin, and print their paths" },
  }),
  dumpDb: buildCommand<StoreFlags, string[], CliContext>({
    loader: async () => (await import("./dump-db.ts")).default,
    parameters: { flags: storeFlags, positional: some("A store path; all of the store when left out") },
    docs: { brief: "Print what the store recorded, as `nix-store --dump-db` does" },
  }),
  loadDb: buildCommand<StoreFlags, [], CliContext>({
    loader: async () => (await import("./load-db.ts")).default,
    parameters: { flags: storeFlags },
    docs: { brief: "Register objects that lie in the store directory already, as printed by dump-db; read from stdin" },
  }),
};
