import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  installables,
  type LockFlags,
  lockFlags,
  type StoreFlags,
  storeFlags,
  type SubstituteFlags,
  substituteFlags,
} from "../../flags.ts";

export interface LogFlags extends StoreFlags, LockFlags, SubstituteFlags {
  readonly raw: boolean;
}

export const logCommandSpec = buildCommand<LogFlags, string[], CliContext>({
  loader: async () => (await import("./log.ts")).default,
  parameters: {
    flags: {
      ...storeFlags,
      ...lockFlags,
      ...substituteFlags,
      raw: { kind: "boolean", default: false, withNegated: false, brief: "Print the bytes as the builder wrote them" },
    },
    positional: installables,
  },
  docs: {
    brief: "Print what the builder of a package said",
    fullDescription:
      "Print the log of the last build of what is named, from here or from a store that packages are taken from. " +
      "A log that came from elsewhere is not vouched for by any signature.",
  },
});
