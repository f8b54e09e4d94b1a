import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { installables, type LockFlags, lockFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface LogFlags extends StoreFlags, LockFlags {}

export const logCommandSpec = buildCommand<LogFlags, string[], CliContext>({
  loader: async () => (await import("./log.ts")).default,
  parameters: { flags: { ...storeFlags, ...lockFlags }, positional: installables },
  docs: { brief: "Print what the builder of a package said" },
});
