import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, type StoreFlags, storeFlags } from "../../flags.ts";

const name = { brief: "Name of a flake", placeholder: "NAME", parse: String } as const;
const flake = {
  brief: "What it stands for: a reference, or another name",
  placeholder: "FLAKE",
  parse: String,
} as const;

export const registryCommands = buildRouteMap<string, CliContext>({
  routes: {
    list: buildCommand<JsonFlags, [], CliContext>({
      loader: async () => (await import("./registry.ts")).list,
      parameters: { flags: { ...jsonFlags } },
      docs: { brief: "Show the names and what they stand for; those of the user count before those of the system" },
    }),
    add: buildCommand<Record<never, never>, [string, string], CliContext>({
      loader: async () => (await import("./registry.ts")).add,
      parameters: { flags: {}, positional: { kind: "tuple", parameters: [name, flake] } },
      docs: { brief: "Give a flake a name, in the user's own registry" },
    }),
    remove: buildCommand<Record<never, never>, [string], CliContext>({
      loader: async () => (await import("./registry.ts")).remove,
      parameters: { flags: {}, positional: { kind: "tuple", parameters: [name] } },
      docs: { brief: "Take a name out of the user's own registry" },
    }),
    pin: buildCommand<StoreFlags, [string, string | undefined], CliContext>({
      loader: async () => (await import("./registry.ts")).pin,
      parameters: {
        flags: { ...storeFlags },
        positional: { kind: "tuple", parameters: [name, { ...flake, optional: true }] },
      },
      docs: { brief: "Let a name stand for just what it stands for now" },
    }),
    resolve: buildCommand<JsonFlags, string[], CliContext>({
      loader: async () => (await import("./registry.ts")).resolve,
      parameters: { flags: { ...jsonFlags }, positional: { kind: "array", minimum: 1, parameter: name } },
      docs: { brief: "Show the references that names stand for" },
    }),
  },
  docs: { brief: "Names of flakes on the command line" },
});
