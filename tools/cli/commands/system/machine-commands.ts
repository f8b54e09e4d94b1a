import { buildCommand } from "@stricli/core";
import type { SwitchMode } from "../../../../core/host/activation/index.ts";
import type { CliContext } from "../../context.ts";
import { type JsonFlags, jsonFlags, parseCount } from "../../flags.ts";

/** Which system to switch to: one of the two, or neither for the profile's current generation. */
export interface SwitchFlags {
  readonly storePath?: string;
  readonly generation?: number;
  /** The variant of it that runs. */
  readonly specialisation?: string;
}

export interface DescribeFlags extends JsonFlags {
  readonly generation?: number;
}

const EXIT_CODES =
  "\n\nExit codes: 0 done; 1 refused, or the boot menu could not be written; 2 activation failed, and the old system is " +
  "active again; 4 some units failed, and the switch stands; 100 a reboot is needed, and nothing was done.";

function switchCommand(mode: SwitchMode, brief: string, more: string) {
  return buildCommand<SwitchFlags, [], CliContext>({
    loader: async () => (await import("./switch.ts")).switchCommand(mode),
    parameters: {
      flags: {
        storePath: {
          kind: "parsed",
          parse: String,
          optional: true,
          placeholder: "PATH",
          brief: "The toplevel of the system; the profile's current generation when left out",
        },
        generation: {
          kind: "parsed",
          parse: parseCount,
          optional: true,
          placeholder: "N",
          brief: "A generation that exists",
        },
        specialisation: {
          kind: "parsed",
          parse: String,
          optional: true,
          placeholder: "NAME",
          brief: "The variant of the system that runs now; what boots stays the system itself",
        },
      },
    },
    docs: { brief, fullDescription: `${more}${EXIT_CODES}` },
  });
}

/** The commands that work on the machine they run on, also in the program on the target. */
export const machineCommands = {
  switch: switchCommand(
    "switch",
    "Run a system now, and boot it from now on",
    "Make a generation of a system, run it without a reboot, and make it what boots. A power cut before the end boots the old one, whole.",
  ),
  boot: switchCommand(
    "boot",
    "Boot a system from now on",
    "Make a generation of a system and make it what boots. What runs stays as it is.",
  ),
  test: switchCommand(
    "test",
    "Run a system now, until the next boot",
    "Run a system without a reboot. What boots stays as it is.",
  ),
  dryActivate: switchCommand(
    "dry-activate",
    "Say what a switch would do",
    "Say which units a switch would stop, restart, reload and start.",
  ),
  rollback: buildCommand<Record<never, never>, [], CliContext>({
    loader: async () => (await import("./switch.ts")).rollback,
    parameters: {},
    docs: {
      brief: "Switch to the generation before the current one",
      fullDescription: `Run the previous generation now, and boot it from now on. Needs no network.${EXIT_CODES}`,
    },
  }),
  listGenerations: buildCommand<JsonFlags, [], CliContext>({
    loader: async () => (await import("./generations.ts")).listGenerations,
    parameters: { flags: jsonFlags },
    docs: { brief: "List the generations of this machine" },
  }),
  describe: buildCommand<DescribeFlags, [], CliContext>({
    loader: async () => (await import("./generations.ts")).describe,
    parameters: {
      flags: {
        generation: {
          kind: "parsed",
          parse: parseCount,
          optional: true,
          placeholder: "N",
          brief: "A generation that exists; the current one when left out",
        },
        ...jsonFlags,
      },
    },
    docs: { brief: "Show of what commits a generation was made" },
  }),
  deleteGenerations: buildCommand<Record<never, never>, number[], CliContext>({
    loader: async () => (await import("./generations.ts")).deleteGenerations,
    parameters: {
      positional: {
        kind: "array",
        minimum: 1,
        parameter: { brief: "Numbers of generations", placeholder: "N", parse: parseCount },
      },
    },
    docs: { brief: "Forget generations, and take them out of the boot menu" },
  }),
};
