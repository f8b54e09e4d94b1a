import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type StoreFlags, storeFlags } from "../../flags.ts";

export interface RecoverFlags extends StoreFlags, JsonFlags {
  readonly contents: boolean;
  readonly force: boolean;
}

const switchOn = { kind: "boolean", default: false, withNegated: false } as const;

/** Verbs that look after a store as a whole. */
export const careRoutes = {
  recover: buildCommand<RecoverFlags, [], CliContext>({
    loader: async () => (await import("./recover.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        ...jsonFlags,
        contents: { kind: "boolean", default: true, brief: "Hash every object before it counts as valid" },
        force: { ...switchOn, brief: "Make the database anew although it is whole" },
      },
    },
    docs: {
      brief: "Make a lost or damaged database anew",
      fullDescription:
        "Takes what is known about store objects from the journal beside the database, from what can be read of the database, and from objects whose path certifies what they hold. The old database is kept in a folder damaged-N beside it. Objects that are not whole are printed; they are no longer valid.",
    },
  }),
};
