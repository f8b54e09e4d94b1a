import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type BuildFlags, buildAliases, buildFlags, installables, type JsonFlags, jsonFlags } from "../../flags.ts";

export interface BuildCommandFlags extends BuildFlags, JsonFlags {
  readonly link: boolean;
  readonly outLink: string;
  readonly printOutPaths: boolean;
  readonly dryRun: boolean;
}

export const buildCommandSpec = buildCommand<BuildCommandFlags, string[], CliContext>({
  loader: async () => (await import("./build.ts")).default,
  parameters: {
    flags: {
      ...buildFlags,
      ...jsonFlags,
      link: { kind: "boolean", default: true, brief: "Link to the result, which also keeps it from being collected" },
      outLink: { kind: "parsed", parse: String, default: "result", placeholder: "PATH", brief: "The link's name" },
      printOutPaths: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Print the store paths of the results",
      },
      dryRun: { kind: "boolean", default: false, withNegated: false, brief: "Only say what would be done, and why" },
    },
    aliases: { ...buildAliases, o: "outLink" },
    positional: installables,
  },
  docs: {
    brief: "Build packages, systems, or derivations",
    fullDescription:
      "Build what is named, and link ./result to it. An installable is FLAKE#ATTRIBUTE (`.#hello`; `.` alone is " +
      "`.#default`; `.#hello^dev,out` for some outputs), a .drv, or a store path.\n\n" +
      "Exit codes: 100 a builder failed, 101 it took too long, 102 a hash did not match, 104 a rebuild differed; a sum " +
      "of their bits with --keep-going.",
  },
});
