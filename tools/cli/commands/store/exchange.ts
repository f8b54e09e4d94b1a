import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import {
  installables,
  type JsonFlags,
  jsonFlags,
  type LockFlags,
  lockFlags,
  type StoreFlags,
  storeFlags,
  substituteFlags,
} from "../../flags.ts";

export interface TransferFlags extends StoreFlags, LockFlags, JsonFlags {
  readonly recursive: boolean;
  readonly derivation: boolean;
  readonly quiet: boolean;
}

export interface CopyFlags extends TransferFlags {
  readonly to?: string;
  readonly from?: string;
  readonly checkSigs: boolean;
  readonly trustedKey?: readonly string[];
}

export interface SignFlags extends StoreFlags {
  readonly keyFile: string;
  readonly recursive: boolean;
}

const switchOn = { kind: "boolean", default: false, withNegated: false } as const;
const address = { kind: "parsed", parse: String, optional: true, placeholder: "URL" } as const;

export const transferFlags = {
  ...storeFlags,
  ...lockFlags,
  ...jsonFlags,
  recursive: { kind: "boolean", default: true, brief: "Everything they refer to as well" },
  derivation: { ...switchOn, brief: "A .drv means that file and what it needs, and not its outputs" },
  quiet: { ...switchOn, brief: "Say nothing but errors" },
} as const;

/** `floe store copy`, and the same as `floe copy`. */
export const copyCommandSpec = buildCommand<CopyFlags, string[], CliContext>({
  loader: async () => (await import("./copy.ts")).default,
  parameters: {
    flags: {
      ...transferFlags,
      to: { ...address, brief: "The store to copy to; the one of this machine when left out" },
      from: { ...address, brief: "The store to copy from; the one of this machine when left out" },
      checkSigs: { kind: "boolean", default: true, brief: "Take in only what a trusted key signed" },
      trustedKey: substituteFlags.trustedKey,
    },
    positional: installables,
  },
  docs: {
    brief: "Copy store objects from one store to another",
    fullDescription:
      "URL is https://…, file://…, s3://…, a directory with a store in it, or local. What is there already stays; what is not built yet is built first. An interrupted copy goes on where it ended.",
  },
});

/** Verbs that let others have store objects. */
export const exchangeRoutes = {
  copy: copyCommandSpec,
  sign: buildCommand<SignFlags, string[], CliContext>({
    loader: async () => (await import("./sign.ts")).default,
    parameters: {
      flags: {
        ...storeFlags,
        keyFile: { kind: "parsed", parse: String, placeholder: "FILE", brief: "The secret key" },
        recursive: { ...switchOn, brief: "Everything they refer to as well" },
      },
      aliases: { k: "keyFile", r: "recursive" },
      positional: {
        kind: "array",
        minimum: 1,
        parameter: { brief: "A store path", placeholder: "STORE-PATH", parse: String },
      },
    },
    docs: { brief: "Sign store objects with a secret key" },
  }),
};
