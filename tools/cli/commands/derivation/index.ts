import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { installables, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface ShowFlags extends StoreFlags, LockFlags {
  readonly recursive: boolean;
}

export const derivationCommands = buildRouteMap<string, CliContext>({
  routes: {
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
