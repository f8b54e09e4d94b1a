import { CodedError } from "../../core/base/index.ts";
import type { CommandResult } from "../machine.ts";
import type { Attempt } from "./wait.ts";

/** What systemd says about a unit. Source: org.freedesktop.systemd1(5), "Unit Objects". */
export interface UnitState {
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** Number of the job that is queued for it; 0 without one. */
  readonly job: number;
  readonly result: string;
  /** What systemd calls it in its messages; by default its name. */
  readonly description: string;
}

export const UNIT_PROPERTIES = "LoadState,ActiveState,SubState,Job,Result,Description";

/** Read what `systemctl show --property=…` prints. */
export function parseUnitState(text: string): UnitState {
  const fields = new Map(
    text.split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  return {
    load: fields.get("LoadState") ?? "",
    active: fields.get("ActiveState") ?? "",
    sub: fields.get("SubState") ?? "",
    job: Number(fields.get("Job") || 0),
    result: fields.get("Result") ?? "",
    description: fields.get("Description") ?? "",
  };
}

/**
 * Whether a unit that is waited for is there, may still come, or never will.
 *
 * @throws {CodedError} `unit.failed`, `unit.not-found`, `unit.inactive`: waiting longer would change nothing.
 */
export function judgeUnit(machine: string, unit: string, shown: CommandResult): Attempt<void> {
  const refuse = (code: string, found: string): never => {
    throw new CodedError(code, `Cannot wait for the unit "${unit}" on "${machine}": ${found}`);
  };
  // Early in boot, systemctl has nobody to talk to yet.
  if (shown.status !== 0) return { seen: shown.stderr.trim() || `systemctl ended with status ${shown.status}` };
  const state = parseUnitState(shown.stdout);
  if (state.active === "active") return { value: undefined };
  if (state.active === "failed") refuse("unit.failed", `it has failed (result "${state.result}")`);
  if (state.load === "not-found") refuse("unit.not-found", "there is no such unit");
  if (state.load === "masked") refuse("unit.not-found", "it is masked");
  if (state.active === "inactive" && state.job === 0) {
    refuse("unit.inactive", "it is inactive, and nothing is queued that would start it");
  }
  return { seen: `${state.active} (${state.sub})${state.job === 0 ? "" : ", with a job queued"}` };
}
