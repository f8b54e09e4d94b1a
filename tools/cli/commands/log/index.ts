import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { installables, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface LogFlags extends StoreFlags, LockFlags {
  readonly raw: boolean;
}

export const logCommandSpec = buildCommand<LogFlags, string[], CliContext>({
  loader: async () => (await import("./log.ts")).default,
  parameters: {
    flags: {
      ...storeFlags,
      ...lockFlags,
      raw: { kind: "boolean", default: false, withNegated: false, brief: "Print the bytes as the builder wrote them" },
    },
    positional: installables,
  },
  docs: { brief: "Print what the builder of a package said" },
});
