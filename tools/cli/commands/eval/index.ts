import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface EvalFlags extends StoreFlags, JsonFlags, LockFlags {
  readonly raw: boolean;
  readonly names: boolean;
}

export const evalCommand = buildCommand<EvalFlags, [string], CliContext>({
  loader: async () => (await import("./eval.ts")).default,
  parameters: {
    flags: {
      raw: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Print a text as it is, without quotes and line break",
      },
      names: {
        kind: "boolean",
        default: false,
        withNegated: false,
        brief: "Print the names of its members, without evaluating them",
      },
      ...lockFlags,
      ...storeFlags,
      ...jsonFlags,
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "[FLAKE]#ATTRIBUTE, for example .#hello.drvPath",
          placeholder: "INSTALLABLE",
          parse: String,
          default: ".",
        },
      ],
    },
  },
  docs: {
    brief: "Evaluate an attribute and print its value",
    fullDescription:
      "Evaluates in a process without network, clock, environment and files outside the locked sources. Nothing is built.",
  },
});
