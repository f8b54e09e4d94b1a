import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface OptionFlags extends StoreFlags, JsonFlags, LockFlags {
  /** The system, as an installable. */
  readonly flake: string;
}

const flags = {
  flake: {
    kind: "parsed",
    parse: String,
    default: ".",
    placeholder: "SYSTEM",
    brief: "The system: .#NAME, or a flake whose default or only system is meant",
  },
  ...lockFlags,
  ...storeFlags,
  ...jsonFlags,
} as const;

export const optionCommands = buildRouteMap<string, CliContext>({
  routes: {
    search: buildCommand<OptionFlags, string[], CliContext>({
      loader: async () => (await import("./search.ts")).default,
      parameters: {
        flags,
        positional: {
          kind: "array",
          parameter: {
            brief: "Regular expression that has to occur in the path or the description",
            placeholder: "WORDS",
            parse: String,
          },
        },
      },
      docs: { brief: "Search the options of a system" },
    }),
    show: buildCommand<OptionFlags, [string], CliContext>({
      loader: async () => (await import("./show.ts")).default,
      parameters: {
        flags,
        positional: {
          kind: "tuple",
          parameters: [{ brief: "Path of an option or of a group of them", placeholder: "PATH", parse: String }],
        },
      },
      docs: {
        brief: "Show what an option is, its value, who set it and who reads it",
        fullDescription:
          "Lists every definition with its place and priority (force is 50, plain 100, defaults 1000); those marked with * made the value.",
      },
    }),
  },
  docs: { brief: "Options of a system: what there is, and why it is so" },
});
