import { CodedError } from "../../core/base/index.ts";
import type { UnitProperties } from "./service-manager.ts";
import type { Attempt } from "./wait.ts";

/** What systemd says about a unit. Source: org.freedesktop.systemd1(5), "Unit Objects". */
export interface UnitState {
  /** Its own name; what was asked for may be an alias. */
  readonly id: string;
  readonly load: string;
  readonly active: string;
  readonly sub: string;
  /** Number of the job that is queued for it; 0 without one. */
  readonly job: number;
}

/** Read the state from a unit's properties. */
export function readUnitState(properties: UnitProperties): UnitState {
  const text = (name: string): string => String(properties[name] ?? "");
  const [job] = (properties["Job"] as [number, string] | undefined) ?? [0];
  return { id: text("Id"), load: text("LoadState"), active: text("ActiveState"), sub: text("SubState"), job };
}

/**
 * Whether a unit that is waited for is there, may still come, or never will.
 *
 * @throws {CodedError} `unit.failed`, `unit.not-found`, `unit.inactive`: waiting longer would change nothing.
 */
export function judgeUnit(machine: string, unit: string, state: UnitState): Attempt<void> {
  const refuse = (code: string, found: string): never => {
    throw new CodedError(code, `Cannot wait for the unit "${unit}" on "${machine}": ${found}`);
  };
  if (state.active === "active") return { value: undefined };
  if (state.active === "failed") refuse("unit.failed", `it has failed (${state.sub})`);
  if (state.load === "not-found") refuse("unit.not-found", "there is no such unit");
  if (state.load === "masked") refuse("unit.not-found", "it is masked");
  if (state.active === "inactive" && state.job === 0) {
    refuse("unit.inactive", "it is inactive, and nothing is queued that would start it");
  }
  return { seen: `${state.active} (${state.sub})${state.job === 0 ? "" : ", with a job queued"}` };
}
