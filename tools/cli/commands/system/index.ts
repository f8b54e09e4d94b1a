import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { buildAliases, buildFlags, installables, jsonFlags } from "../../flags.ts";
import type { BuildCommandFlags } from "../build/index.ts";
import { machineCommands } from "./machine-commands.ts";

export const systemCommands = buildRouteMap<string, CliContext>({
  routes: {
    build: buildCommand<BuildCommandFlags, string[], CliContext>({
      loader: async () => (await import("./build.ts")).default,
      parameters: {
        flags: {
          ...buildFlags,
          ...jsonFlags,
          link: {
            kind: "boolean",
            default: true,
            brief: "Link to the system, which also keeps it from being collected",
          },
          outLink: { kind: "parsed", parse: String, default: "result", placeholder: "PATH", brief: "The link's name" },
          printOutPaths: { kind: "boolean", default: true, brief: "Print the system's store path" },
          dryRun: {
            kind: "boolean",
            default: false,
            withNegated: false,
            brief: "Only say what would be done, and why",
          },
        },
        aliases: { ...buildAliases, o: "outLink" },
        positional: installables,
      },
      docs: {
        brief: "Build a system's toplevel",
        fullDescription:
          "Build a system of a flake: `floe system build .#web`. What runs and what boots stay as they are.",
      },
    }),
    ...machineCommands,
  },
  docs: { brief: "Build systems; switch, boot and roll back this machine" },
});
