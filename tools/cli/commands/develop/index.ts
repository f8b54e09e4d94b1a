import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type BuildFlags, buildAliases, buildFlags } from "../../flags.ts";

export interface DevelopFlags extends BuildFlags {
  readonly command: boolean;
}

export const developCommandSpec = buildCommand<DevelopFlags, string[], CliContext>({
  loader: async () => (await import("./develop.ts")).default,
  parameters: {
    flags: {
      ...buildFlags,
      command: { kind: "boolean", default: false, withNegated: false, brief: "What follows is a command to run there" },
    },
    aliases: { ...buildAliases, c: "command" },
    positional: {
      kind: "array",
      parameter: { brief: "The environment, then a command", placeholder: "INSTALLABLE", parse: String },
    },
  },
  docs: {
    brief: "Enter an environment to work in",
    fullDescription:
      "Build an environment of the flake's `devShells` (`.` alone is `.#default`) and start a shell in it, or the command " +
      "after -c: floe develop .#web -c make test. Flags of the command come after `--`: floe develop -c -- make -j2.",
  },
});
