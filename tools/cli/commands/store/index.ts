import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type StoreFlags, storeFlags } from "../../flags.ts";
import { askRoutes } from "./ask-routes.ts";
import { careRoutes } from "./care.ts";
import { collectorCommands } from "./collector-commands.ts";
import { exchangeRoutes } from "./exchange.ts";
import { streamRoutes } from "./stream-routes.ts";

export const ADD_MODES = ["nar", "flat", "text", "git"] as const;
export const ADD_ALGORITHMS = ["md5", "sha1", "sha256", "sha512"] as const;

export interface AddFlags extends StoreFlags {
  readonly name?: string;
  readonly mode: (typeof ADD_MODES)[number];
  readonly flat: boolean;
  readonly hashAlgo: (typeof ADD_ALGORITHMS)[number];
  readonly reference?: readonly string[];
  readonly dryRun: boolean;
}

export interface ServeFlags extends StoreFlags {
  readonly write: boolean;
  readonly stdio: boolean;
  readonly serve: boolean;
}

export const storeCommands = buildRouteMap<string, CliContext>({
  routes: {
    ...askRoutes,
    ...streamRoutes,
    ...careRoutes,
    ...collectorCommands,
    ...exchangeRoutes,
    add: buildCommand<AddFlags, [string], CliContext>({
      loader: async () => (await import("./add.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          name: {
            kind: "parsed",
            parse: String,
            optional: true,
            placeholder: "NAME",
            brief: "Name of the store object; that of the file when left out",
          },
          mode: {
            kind: "enum",
            values: ADD_MODES,
            default: "nar",
            brief:
              "What its address is the hash of: a tree, the bytes of one file, these and its references, or a tree of git",
          },
          flat: { kind: "boolean", default: false, withNegated: false, brief: "The same as --mode flat" },
          hashAlgo: { kind: "enum", values: ADD_ALGORITHMS, default: "sha256", brief: "Algorithm of its address" },
          reference: {
            kind: "parsed",
            parse: String,
            optional: true,
            variadic: true,
            placeholder: "STORE-PATH",
            brief: "A store object that it needs (--mode nar or text, sha256)",
          },
          dryRun: { kind: "boolean", default: false, withNegated: false, brief: "Only print where it would be" },
        },
        positional: {
          kind: "tuple",
          parameters: [{ brief: "A file or directory", placeholder: "PATH", parse: String }],
        },
      },
      docs: { brief: "Copy a file tree into the store" },
    }),
    serve: buildCommand<ServeFlags, [], CliContext>({
      loader: async () => (await import("./serve.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          write: { kind: "boolean", default: false, withNegated: false, brief: "Let the client add and build" },
          stdio: {
            kind: "boolean",
            default: true,
            withNegated: false,
            brief: "On standard input and output, as always",
          },
          // Nix puts it behind whatever program it is told to run at the other end.
          serve: { kind: "boolean", default: true, withNegated: false, hidden: true, brief: "As nix-store calls it" },
        },
      },
      docs: {
        brief: "Answer one client on standard input and output, as `nix-store --serve` does",
        fullDescription:
          "What a Nix or Floe on another machine runs here by ssh: `nix copy --to ssh://HOST?remote-program=floe%20store%20serve`.",
      },
    }),
  },
  docs: { brief: "Objects of the store" },
});
