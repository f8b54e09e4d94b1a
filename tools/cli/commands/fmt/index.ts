import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type BuildFlags, buildAliases, buildFlags } from "../../flags.ts";

export const fmtCommandSpec = buildCommand<BuildFlags, string[], CliContext>({
  loader: async () => (await import("./fmt.ts")).default,
  parameters: {
    flags: buildFlags,
    aliases: buildAliases,
    positional: {
      kind: "array",
      parameter: { brief: "What the formatter is told", placeholder: "ARGUMENT", parse: String },
    },
  },
  docs: {
    brief: "Run the formatter of the flake here",
    fullDescription:
      "Builds the flake's output `formatter` for this platform and runs its main program in this folder: floe fmt -- --check .",
  },
});
