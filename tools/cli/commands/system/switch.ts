import { CodedError } from "../../../../core/base/index.ts";
import {
  type SwitchMode,
  type SwitchTarget,
  makeSystemdHost,
  switchPaths,
  switchSystem,
} from "../../../../core/host/activation/index.ts";
import { Profile } from "../../../../core/host/profile/index.ts";
import { previousGeneration } from "../../../../core/profile/index.ts";
import type { CliContext } from "../../context.ts";
import type { SwitchFlags } from "./machine-commands.ts";

/** `floe system switch|boot|test|dry-activate`. */
export function switchCommand(mode: SwitchMode) {
  return function switchTo(this: CliContext, flags: SwitchFlags): void {
    const { specialisation } = flags;
    if (mode === "boot" && specialisation !== undefined) {
      throw new CodedError(
        "cli.conflicting-flags",
        "Cannot use --specialisation together with boot: what boots is the system itself",
        { hint: "Each specialisation has an entry of its own in the boot menu." },
      );
    }
    run(this, mode, chooseTarget(flags), specialisation);
  };
}

/** `floe system rollback`. */
export function rollback(this: CliContext): void {
  const generations = systemProfile().list();
  const previous = previousGeneration(generations);
  if (previous === undefined) {
    const current = generations.find((one) => one.current);
    throw new CodedError(
      "system.no-previous",
      `Cannot roll back: found ${current === undefined ? "no current generation" : `no generation before ${current.number}`}`,
      { hint: "`floe system list-generations` shows what there is." },
    );
  }
  run(this, "switch", { kind: "generation", number: previous.number });
}

/** The profile of this machine. */
export function systemProfile(): Profile {
  return new Profile(switchPaths().profiles, "system");
}

function chooseTarget({ storePath, generation }: SwitchFlags): SwitchTarget {
  if (storePath !== undefined && generation !== undefined) {
    throw new CodedError(
      "cli.conflicting-flags",
      "Cannot use --store-path together with --generation: expected one of them",
    );
  }
  if (storePath !== undefined) return { kind: "toplevel", path: storePath };
  if (generation !== undefined) return { kind: "generation", number: generation };
  const current = systemProfile()
    .list()
    .find((one) => one.current);
  if (current !== undefined) return { kind: "generation", number: current.number };
  throw new CodedError("system.no-generation", "Cannot switch: this machine has no current generation", {
    hint: "Name a system with --store-path.",
  });
}

function run(context: CliContext, mode: SwitchMode, target: SwitchTarget, specialisation?: string): void {
  if (process.getuid?.() !== 0) {
    throw new CodedError("system.not-root", `Cannot ${mode} a system: this needs root`);
  }
  const result = switchSystem({
    mode,
    target,
    specialisation,
    paths: switchPaths(),
    host: makeSystemdHost(),
    say: (line) => context.say(line),
  });
  if (result.exitCode === 0 && result.generation !== undefined)
    context.say(`generation ${result.generation} is the default now`);
  context.exitWith(result.exitCode);
}
