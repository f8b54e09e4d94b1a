import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type StoreFlags, storeFlags } from "../../flags.ts";

const noFlags = {} as const;

export interface CatFlags extends StoreFlags {}

export interface ListFlags extends StoreFlags, JsonFlags {
  readonly recursive: boolean;
}

const archive = { brief: "An archive (- is stdin) or a store path", placeholder: "NAR", parse: String } as const;
const inside = { brief: "A path inside the archive", placeholder: "PATH", parse: String } as const;

export const narCommands = buildRouteMap<string, CliContext>({
  routes: {
    dump: buildCommand<Record<never, never>, [string], CliContext>({
      loader: async () => (await import("./dump.ts")).default,
      parameters: {
        flags: noFlags,
        positional: {
          kind: "tuple",
          parameters: [{ brief: "A file or directory", placeholder: "PATH", parse: String }],
        },
      },
      docs: { brief: "Write a file tree to stdout as an archive" },
    }),
    restore: buildCommand<Record<never, never>, [string], CliContext>({
      loader: async () => (await import("./restore.ts")).default,
      parameters: {
        flags: noFlags,
        positional: {
          kind: "tuple",
          parameters: [{ brief: "Where the tree goes; nothing may be there yet", placeholder: "PATH", parse: String }],
        },
      },
      docs: { brief: "Unpack an archive from stdin" },
    }),
    ls: buildCommand<ListFlags, [string, string?], CliContext>({
      loader: async () => (await import("./list.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          ...jsonFlags,
          recursive: { kind: "boolean", default: false, withNegated: false, brief: "Also what lies in directories" },
        },
        aliases: { R: "recursive" },
        positional: { kind: "tuple", parameters: [archive, { ...inside, optional: true }] },
      },
      docs: { brief: "List what an archive holds" },
    }),
    cat: buildCommand<CatFlags, [string, string], CliContext>({
      loader: async () => (await import("./cat.ts")).default,
      parameters: { flags: storeFlags, positional: { kind: "tuple", parameters: [archive, inside] } },
      docs: { brief: "Write one file of an archive to stdout" },
    }),
  },
  docs: { brief: "Archives of file trees (NAR)" },
});
