import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type StoreFlags, storeFlags } from "../../flags.ts";
import { askRoutes } from "./ask-routes.ts";
import { careRoutes } from "./care.ts";
import { collectorCommands } from "./collector-commands.ts";
import { exchangeRoutes } from "./exchange.ts";
import { streamRoutes } from "./stream-routes.ts";

export interface AddFlags extends StoreFlags {
  readonly name?: string;
  readonly flat: boolean;
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
          flat: { kind: "boolean", default: false, withNegated: false, brief: "Address one file by its bytes alone" },
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
