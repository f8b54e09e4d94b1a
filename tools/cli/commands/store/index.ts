import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type StoreFlags, storeFlags } from "../../flags.ts";
import { careRoutes } from "./care.ts";
import { collectorCommands } from "./collector-commands.ts";
import { exchangeRoutes } from "./exchange.ts";

export interface AddFlags extends StoreFlags {
  readonly name?: string;
  readonly flat: boolean;
}

export interface InfoFlags extends StoreFlags, JsonFlags {
  readonly closure: boolean;
}

export interface QueryFlags extends StoreFlags, JsonFlags {}

export interface ServeFlags extends StoreFlags {
  readonly write: boolean;
  readonly stdio: boolean;
  readonly serve: boolean;
}

const paths = {
  kind: "array",
  minimum: 1,
  parameter: { brief: "A store path", placeholder: "STORE-PATH", parse: String },
} as const;

const query = (relation: "references" | "referrers" | "closure" | "derivers", brief: string) =>
  buildCommand<QueryFlags, string[], CliContext>({
    loader: async () => (await import("./query.ts")).query(relation),
    parameters: { flags: { ...storeFlags, ...jsonFlags }, positional: paths },
    docs: { brief },
  });

export const storeCommands = buildRouteMap<string, CliContext>({
  routes: {
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
    info: buildCommand<InfoFlags, string[], CliContext>({
      loader: async () => (await import("./info.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          ...jsonFlags,
          closure: { kind: "boolean", default: false, withNegated: false, brief: "Everything they refer to as well" },
        },
        aliases: { r: "closure" },
        positional: paths,
      },
      docs: { brief: "Show what the store knows about store objects" },
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
    query: buildRouteMap<string, CliContext>({
      routes: {
        references: query("references", "Print what store objects refer to"),
        referrers: query("referrers", "Print what refers to store objects"),
        closure: query("closure", "Print everything that store objects need, themselves included"),
        derivers: query("derivers", "Print the derivations that store objects came from"),
      },
      docs: { brief: "Ask how store objects are connected" },
    }),
  },
  docs: { brief: "Objects of the store" },
});
