import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { buildAliases, type BuildFlags, buildFlags } from "../../flags.ts";

export const replCommandSpec = buildCommand<BuildFlags, [string], CliContext>({
  loader: async () => (await import("./repl.ts")).default,
  parameters: {
    flags: buildFlags,
    aliases: buildAliases,
    positional: {
      kind: "tuple",
      parameters: [{ brief: "The flake to look into", placeholder: "FLAKE", parse: String, default: "." }],
    },
  },
  docs: {
    brief: "Ask a flake questions in TypeScript, line by line",
    fullDescription:
      "Knows the outputs by their names (systems, packages …), and pkgs, inputs, self and outputs. Each line is evaluated in a process of its own, confined as every evaluation. :? lists the commands.",
  },
});
