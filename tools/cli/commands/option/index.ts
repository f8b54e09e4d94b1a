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
    brief:
      "The system: .#NAME, or a flake whose default or only system is meant, or whose modules where it has no system",
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
      docs: {
        brief: "Search the options of a system",
        fullDescription:
          "Without a description the doc comment above an option counts. " +
          "Finds options also where the configuration cannot be evaluated, and in flakes that give out modules alone: " +
          "modules say what there is. An error of the configuration is then a warning. Ends with 1 when nothing is found.",
      },
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
          "Lists every definition with its place and priority (force is 50, plain 100, defaults 1000); those marked with * made the value.\n" +
          "Where the configuration cannot be evaluated, prints what modules declare, and ends with the error and its exit code: " +
          "there is no value. For a flake that gives out modules alone there is none either, which is no error.",
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
