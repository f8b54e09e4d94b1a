import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface SearchFlags extends StoreFlags, JsonFlags, LockFlags {
  readonly flake: string;
  readonly exclude?: readonly string[];
}

export const searchCommandSpec = buildCommand<SearchFlags, string[], CliContext>({
  loader: async () => (await import("./search.ts")).default,
  parameters: {
    flags: {
      flake: {
        kind: "parsed",
        parse: String,
        default: ".",
        placeholder: "FLAKE",
        brief: "The flake with the packages",
      },
      exclude: {
        kind: "parsed",
        parse: String,
        optional: true,
        variadic: true,
        placeholder: "WORDS",
        brief: "Leave out packages in which this regular expression occurs",
      },
      ...lockFlags,
      ...storeFlags,
      ...jsonFlags,
    },
    aliases: { e: "exclude" },
    positional: {
      kind: "array",
      parameter: {
        brief: "Regular expression that has to occur in the name or the description; all of them have to",
        placeholder: "WORDS",
        parse: String,
      },
    },
  },
  docs: { brief: "Search the packages of a flake" },
});
