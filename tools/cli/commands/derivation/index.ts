import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  installables,
  type JsonFlags,
  jsonFlags,
  type LockFlags,
  lockFlags,
  type StoreFlags,
  storeFlags,
} from "../../flags.ts";

export interface ShowFlags extends StoreFlags, LockFlags {
  readonly recursive: boolean;
}

export interface AddFlags extends StoreFlags, JsonFlags {}

export const derivationCommands = buildRouteMap<string, CliContext>({
  routes: {
    add: buildCommand<AddFlags, [], CliContext>({
      loader: async () => (await import("./add.ts")).default,
      parameters: { flags: { ...storeFlags, ...jsonFlags } },
      docs: {
        brief: "Write derivations into the store, from JSON on stdin, and print their paths",
        fullDescription:
          "Reads what `derivation show` and `nix derivation show` print, or one derivation with a name. Paths of outputs may be left out; those that are stated must be right.",
      },
    }),
    show: buildCommand<ShowFlags, string[], CliContext>({
      loader: async () => (await import("./show.ts")).default,
      parameters: {
        flags: {
          ...storeFlags,
          ...lockFlags,
          recursive: { kind: "boolean", default: false, withNegated: false, brief: "Also the derivations it needs" },
        },
        aliases: { r: "recursive" },
        positional: installables,
      },
      docs: { brief: "Print derivations as JSON" },
    }),
  },
  docs: { brief: "Descriptions of build actions" },
});
