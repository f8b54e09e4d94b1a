import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type BuildFlags, buildAliases, buildFlags } from "../../flags.ts";

export const runCommandSpec = buildCommand<BuildFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).default,
  parameters: {
    flags: buildFlags,
    aliases: buildAliases,
    positional: {
      kind: "array",
      parameter: { brief: "What to run, then its arguments", placeholder: "INSTALLABLE", parse: String },
    },
  },
  docs: {
    brief: "Build a package and run its program",
    fullDescription:
      "Build a package and run its main program (meta.mainProgram, else the package's name). What follows `--` goes to " +
      "the program: floe run .#hello -- --greeting=hi",
  },
});
