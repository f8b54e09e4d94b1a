import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { askedStoreFlags, type JsonFlags, jsonFlags, type StoreFlags } from "../../flags.ts";

export interface InfoFlags extends StoreFlags, JsonFlags {
  readonly recursive: boolean;
  readonly size: boolean;
  readonly closureSize: boolean;
  readonly humanReadable: boolean;
  readonly sigs: boolean;
}

export interface QueryFlags extends StoreFlags, JsonFlags {
  readonly references: boolean;
  readonly referrers: boolean;
  readonly requisites: boolean;
  readonly includeOutputs: boolean;
  readonly referrersClosure: boolean;
  readonly deriver: boolean;
  readonly validDerivers: boolean;
  readonly outputs: boolean;
  readonly hash: boolean;
  readonly size: boolean;
  readonly roots: boolean;
  readonly tree: boolean;
  readonly graph: boolean;
  readonly resolve: boolean;
}

export interface WhyDependsFlags extends StoreFlags, JsonFlags {
  readonly all: boolean;
  readonly precise: boolean;
}

export interface DiffFlags extends StoreFlags, JsonFlags {}

const switchOn = { kind: "boolean", default: false, withNegated: false } as const;
const storePath = { brief: "A store path", placeholder: "STORE-PATH", parse: String } as const;
const paths = { kind: "array", minimum: 1, parameter: storePath } as const;

/** Verbs that ask what a store has, and why. */
export const askRoutes = {
  info: buildCommand<InfoFlags, string[], CliContext>({
    loader: async () => (await import("./info.ts")).default,
    parameters: {
      flags: {
        ...askedStoreFlags,
        ...jsonFlags,
        recursive: { ...switchOn, brief: "Everything they refer to as well, one line for each" },
        size: { ...switchOn, brief: "A column with the size of the archive" },
        closureSize: { ...switchOn, brief: "A column with the size of all they refer to, themselves included" },
        humanReadable: { ...switchOn, brief: "Sizes in K, M and G; among other letters also h, as in -rsSh" },
        sigs: { ...switchOn, brief: "A column with what vouches for them" },
      },
      aliases: { r: "recursive", s: "size", S: "closureSize" },
      positional: paths,
    },
    docs: {
      brief: "Show what the store knows about store objects",
      fullDescription: "Any of -r, -s, -S, --human-readable and --sigs gives a table, as `nix path-info` prints it.",
    },
  }),
  query: buildCommand<QueryFlags, string[], CliContext>({
    loader: async () => (await import("./query.ts")).default,
    parameters: {
      flags: {
        ...askedStoreFlags,
        ...jsonFlags,
        references: { ...switchOn, brief: "What they refer to" },
        referrers: { ...switchOn, brief: "What refers to them" },
        requisites: { ...switchOn, brief: "Everything they need, themselves included, references first" },
        includeOutputs: { ...switchOn, brief: "With --requisites: valid outputs of derivations as well" },
        referrersClosure: { ...switchOn, brief: "Everything that needs them, themselves included" },
        deriver: { ...switchOn, brief: "The derivation each came from" },
        validDerivers: { ...switchOn, brief: "Derivations in the store that make them" },
        outputs: { ...switchOn, brief: "What derivations make" },
        hash: { ...switchOn, brief: "The hash of each archive" },
        size: { ...switchOn, brief: "The size of each archive in bytes" },
        roots: { ...switchOn, brief: "What keeps them from being collected" },
        tree: { ...switchOn, brief: "What they refer to, as a tree" },
        graph: { ...switchOn, brief: "What they refer to, in the language of Graphviz" },
        resolve: { ...switchOn, brief: "The path that begins with each digest (32 characters)" },
      },
      aliases: { R: "requisites", d: "deriver" },
      positional: paths,
    },
    docs: { brief: "Ask how store objects are connected" },
  }),
  whyDepends: buildCommand<WhyDependsFlags, [string, string], CliContext>({
    loader: async () => (await import("./why-depends.ts")).default,
    parameters: {
      flags: {
        ...askedStoreFlags,
        ...jsonFlags,
        all: { ...switchOn, brief: "Every chain, not the shortest alone" },
        precise: { ...switchOn, brief: "Every place that holds a reference, not the first alone" },
      },
      positional: {
        kind: "tuple",
        parameters: [storePath, { ...storePath, brief: "What it may need", placeholder: "DEPENDENCY" }],
      },
    },
    docs: { brief: "Show why one store object needs another: the chain, and where each reference stands" },
  }),
  diffClosures: buildCommand<DiffFlags, [string, string], CliContext>({
    loader: async () => (await import("./diff-closures.ts")).default,
    parameters: {
      flags: { ...askedStoreFlags, ...jsonFlags },
      positional: {
        kind: "tuple",
        parameters: [
          { ...storePath, placeholder: "BEFORE" },
          { ...storePath, placeholder: "AFTER" },
        ],
      },
    },
    docs: {
      brief: "Compare what two store objects need",
      fullDescription:
        "By name: versions that went and came (∅ for none, ε for an empty version), and changes of size of 8 KiB or more.",
    },
  }),
  ping: buildCommand<StoreFlags & JsonFlags, [], CliContext>({
    loader: async () => (await import("./ping.ts")).default,
    parameters: { flags: { ...askedStoreFlags, ...jsonFlags } },
    docs: { brief: "Show which store it is, who answers, and whether it trusts you" },
  }),
};
