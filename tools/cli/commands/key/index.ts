import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";

export interface GenerateFlags {
  readonly out?: string;
}

export const keyCommands = buildRouteMap<string, CliContext>({
  routes: {
    generate: buildCommand<GenerateFlags, [string], CliContext>({
      loader: async () => (await import("./generate.ts")).default,
      parameters: {
        flags: {
          out: {
            kind: "parsed",
            parse: String,
            optional: true,
            placeholder: "FILE",
            brief: "Write it to this new file, which only its owner can read, and print the public key",
          },
        },
        positional: {
          kind: "tuple",
          parameters: [{ brief: "Name of the key: cache.example.org-1", placeholder: "NAME", parse: String }],
        },
      },
      docs: { brief: "Make a secret key to sign store objects with, and print it" },
    }),
    convert: buildCommand<Record<never, never>, [string?], CliContext>({
      loader: async () => (await import("./convert.ts")).default,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [
            {
              brief: "A file with a secret key; standard input when left out",
              placeholder: "FILE",
              parse: String,
              optional: true,
            },
          ],
        },
      },
      docs: { brief: "Print the public key that belongs to a secret key" },
    }),
  },
  docs: { brief: "Keys that sign store objects" },
});
