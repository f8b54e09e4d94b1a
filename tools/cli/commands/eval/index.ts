import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface EvalFlags extends StoreFlags, JsonFlags, LockFlags {
  readonly raw: boolean;
  readonly names: boolean;
  /** A file or folder to make of the value. */
  readonly writeTo?: string;
  /** A function of the value, as TypeScript. */
  readonly apply?: string;
  /** An expression over the outputs, as TypeScript. */
  readonly expr?: string;
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
      apply: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "FUNCTION",
        brief: "Print what this arrow function makes of the value, for example 'value => value.name'",
      },
      expr: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "EXPRESSION",
        brief: "Print the value of an expression over the outputs (systems, pkgs, inputs, self …)",
      },
      writeTo: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "PATH",
        brief: "Write a text to this file, or an object of them to files in this folder; it must not be there",
      },
      ...lockFlags,
      ...storeFlags,
      ...jsonFlags,
    },
    aliases: { E: "expr" },
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
