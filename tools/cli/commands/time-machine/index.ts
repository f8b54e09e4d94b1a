import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../context.ts";
import { type StoreFlags, storeFlags } from "../../flags.ts";

export interface TimeMachineFlags extends StoreFlags {
  readonly flake: string;
  readonly date?: string;
  readonly rev?: string;
  readonly sources?: string;
  readonly tool?: string;
  readonly offline: boolean;
}

export const timeMachineCommandSpec = buildCommand<TimeMachineFlags, string[], CliContext>({
  loader: async () => (await import("./time-machine.ts")).default,
  parameters: {
    flags: {
      date: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "DATE",
        brief: "Inputs from repositories as they were then: 2026-11-01 (its end), or 2026-11-01T12:00:00Z",
      },
      rev: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "REV",
        brief: "Inputs as lock.json had them in this commit of the flake: a digest, HEAD~3, a tag",
      },
      sources: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "PATH",
        brief: "Inputs as a system was made of them: a generation, ./result, or a sources.json",
      },
      tool: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "FLAKE",
        brief:
          "Run the command by this revision of Floe: git+https://…?rev=REV, or with --date its branch as it was then",
      },
      flake: {
        kind: "parsed",
        parse: String,
        default: ".",
        placeholder: "FLAKE",
        brief: "The flake whose inputs are meant",
      },
      offline: { kind: "boolean", default: false, withNegated: false, brief: "Ask nobody on the network" },
      ...storeFlags,
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { brief: "What comes after `floe`", placeholder: "COMMAND", parse: String },
    },
  },
  docs: {
    brief: "Run a command with earlier inputs, or by an earlier Floe",
    fullDescription:
      "Runs a command as if it were earlier: floe time-machine --date 2026-11-01 -- build .#hello. No lock is written. Inputs that are folders, " +
      "archives or fixed by a tag or revision stay as they are locked. The exit code is that of the command.",
  },
});
