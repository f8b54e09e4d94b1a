import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface OptionFlags extends StoreFlags, JsonFlags, LockFlags {
  /** The system, as an installable. */
  readonly flake: string;
}

export interface GraphFlags extends OptionFlags {
  readonly dot: boolean;
  readonly reads: boolean;
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
    graph: buildCommand<GraphFlags, string[], CliContext>({
      loader: async () => (await import("./graph.ts")).default,
      parameters: {
        flags: {
          dot: { kind: "boolean", default: false, withNegated: false, brief: "Print a drawing for Graphviz" },
          reads: { kind: "boolean", default: true, brief: "Also who reads options of others" },
          ...flags,
        },
        positional: {
          kind: "array",
          parameter: {
            brief: "Module that gives or takes, by its key; all when left out",
            placeholder: "MODULE",
            parse: String,
          },
        },
      },
      docs: {
        brief: "Show which module gives what to whom",
        fullDescription:
          "Lists the modules of a system with the options of others that they define or read. " +
          "With --dot as a drawing: floe option graph --dot --no-reads | dot -Tsvg",
      },
    }),
  },
  docs: { brief: "Options of a system: what there is, and why it is so" },
});
