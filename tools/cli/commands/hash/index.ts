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

/** The forms by their own names, as `nix hash` has them. */
interface FormFlags {
  readonly form?: HashForm;
  readonly sri: boolean;
  readonly base16: boolean;
  readonly base32: boolean;
  readonly base64: boolean;
}

export const HASH_MODES = ["nar", "flat", "git"] as const;

export interface HashPathFlags extends HashFlags {
  readonly mode: (typeof HASH_MODES)[number];
}

export interface HashFlags extends FormFlags {
  readonly type: (typeof HASH_ALGORITHMS)[number];
}

const switchOn = { kind: "boolean", default: false, withNegated: false } as const;

const formFlags = {
  form: { kind: "enum", values: HASH_FORMS, optional: true, brief: "How the hash is written" },
  sri: { ...switchOn, brief: "The form sha256-…, which is the default" },
  base16: { ...switchOn, brief: "The digest alone, in hexadecimal" },
  base32: { ...switchOn, brief: "The digest alone, in the base 32 of Nix" },
  base64: { ...switchOn, brief: "The digest alone, in base 64" },
} as const;

const hashFlags = {
  type: { kind: "enum", values: HASH_ALGORITHMS, default: "sha256", brief: "Algorithm" },
  ...formFlags,
} as const;

/** The form that is asked for; `undefined` when none is. Of several the last in the order of the flags counts. */
export function askedForm(flags: FormFlags): HashForm | undefined {
  const named = (["base64", "base32", "base16", "sri"] as const).find((form) => flags[form]);
  return named ?? flags.form;
}

export function formOf(flags: FormFlags): HashForm {
  return askedForm(flags) ?? "sri";
}

const files = {
  kind: "array",
  minimum: 1,
  parameter: { brief: "What to hash", placeholder: "PATH", parse: String },
} as const;

export interface ConvertFlags extends JsonFlags, FormFlags {
  readonly type?: HashFlags["type"];
}

export const hashCommands = buildRouteMap<string, CliContext>({
  routes: {
    path: buildCommand<HashPathFlags, string[], CliContext>({
      loader: async () => (await import("./hash.ts")).hashPath,
      parameters: {
        flags: {
          mode: {
            kind: "enum",
            values: HASH_MODES,
            default: "nar",
            brief: "Of the archive, of a file's bytes, or as git",
          },
          ...hashFlags,
        },
        positional: files,
      },
      docs: { brief: "Print the hash of a file tree, as an archive (NAR) or as git names it" },
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
          ...formFlags,
          form: { ...formFlags.form, brief: "The form to print; all forms when none is asked for" },
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
