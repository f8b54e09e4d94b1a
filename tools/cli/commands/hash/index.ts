import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { jsonFlags, type JsonFlags } from "../../flags.ts";

export const HASH_FORMS = [
  "sri",
  "base16",
  "base32",
  "base64",
  "typed-base16",
  "typed-base32",
  "typed-base64",
] as const;
export const HASH_ALGORITHMS = ["md5", "sha1", "sha256", "sha512"] as const;

export type HashForm = (typeof HASH_FORMS)[number];

export interface HashFlags {
  readonly type: (typeof HASH_ALGORITHMS)[number];
  readonly form: HashForm;
}

const hashFlags = {
  type: { kind: "enum", values: HASH_ALGORITHMS, default: "sha256", brief: "Algorithm" },
  form: { kind: "enum", values: HASH_FORMS, default: "sri", brief: "How the hash is written" },
} as const;

const files = {
  kind: "array",
  minimum: 1,
  parameter: { brief: "What to hash", placeholder: "PATH", parse: String },
} as const;

export interface ConvertFlags extends JsonFlags {
  readonly type?: HashFlags["type"];
  readonly form?: HashForm;
}

export const hashCommands = buildRouteMap<string, CliContext>({
  routes: {
    path: buildCommand<HashFlags, string[], CliContext>({
      loader: async () => (await import("./hash.ts")).hashPath,
      parameters: { flags: hashFlags, positional: files },
      docs: { brief: "Print the hash of a file tree, as an archive (NAR)" },
    }),
    file: buildCommand<HashFlags, string[], CliContext>({
      loader: async () => (await import("./hash.ts")).hashFile,
      parameters: { flags: hashFlags, positional: files },
      docs: { brief: "Print the hash of a file's contents" },
    }),
    convert: buildCommand<ConvertFlags, string[], CliContext>({
      loader: async () => (await import("./convert.ts")).default,
      parameters: {
        flags: {
          ...jsonFlags,
          type: {
            kind: "enum",
            values: HASH_ALGORITHMS,
            optional: true,
            brief: "Algorithm, where the text does not say it",
          },
          form: {
            kind: "enum",
            values: HASH_FORMS,
            optional: true,
            brief: "The form to print; all forms when left out",
          },
        },
        positional: {
          kind: "array",
          minimum: 1,
          parameter: { brief: "A hash in any form", placeholder: "HASH", parse: String },
        },
      },
      docs: { brief: "Write a hash in another form" },
    }),
  },
  docs: { brief: "Hashes of files and trees, and their forms" },
});
