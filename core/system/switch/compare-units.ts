import { type UnitFile, unitValues } from "./unit-file.ts";

/** What a changed file means for a running unit. */
export type UnitDifference = "equal" | "reload" | "restart";

/** Keys of `[Unit]` that a running unit never notices. Source: switch-to-configuration of NixOS. */
const UNNOTICED = new Set([
  "AllowIsolate",
  "CollectMode",
  "Description",
  "Documentation",
  "IgnoreOnIsolate",
  "OnFailure",
  "OnFailureJobMode",
  "OnSuccess",
  "RefuseManualStart",
  "RefuseManualStop",
  "SourcePath",
  "StopWhenUnneeded",
  // Policy for switches, not a property of what runs.
  "X-OnChange",
  "X-OnlyManualStart",
  "X-StopOnRemoval",
  "X-StopOnReconfiguration",
  "X-NotSocketActivated",
]);

/**
 * Compare two versions of a unit. `[Install]` is for `systemctl enable` alone and does not count; the options
 * of a mount and `X-Reload-Triggers` can be taken in by a reload.
 */
export function compareUnits(current: UnitFile, next: UnitFile): UnitDifference {
  let difference: UnitDifference = "equal";
  const names = new Set([...current.sections.keys(), ...next.sections.keys()]);
  names.delete("Install");
  for (const name of names) {
    const before = current.sections.get(name);
    const after = next.sections.get(name);
    for (const key of new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])])) {
      if (name === "Unit" && UNNOTICED.has(key)) continue;
      if (sameList(unitValues(current, name, key), unitValues(next, name, key))) continue;
      const light = (name === "Unit" && key === "X-Reload-Triggers") || (name === "Mount" && key === "Options");
      if (!light) return "restart";
      difference = "reload";
    }
  }
  return difference;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
