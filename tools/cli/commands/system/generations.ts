import { readFileSync } from "node:fs";
import { deleteGenerations as forget, switchPaths } from "../../../../core/host/activation/index.ts";
import { tryParseBootSpec } from "../../../../core/system/switch/index.ts";
import type { CliContext } from "../../context.ts";
import type { JsonFlags } from "../../flags.ts";
import { systemProfile } from "./switch.ts";

/** `floe system list-generations`. */
export function listGenerations(this: CliContext, flags: JsonFlags): void {
  const rows = systemProfile()
    .list()
    .map(({ number, target, date, current }) => ({
      generation: number,
      date: date.toISOString(),
      current,
      label: labelOf(target),
      toplevel: target,
    }));
  if (flags.json) return this.printJson(rows);
  for (const { generation, date, current, label, toplevel } of rows) {
    this.print(
      `${String(generation).padStart(4)}  ${date.slice(0, 19).replace("T", " ")}  ${current ? "current" : "       "}  ${label ?? toplevel}`,
    );
  }
}

/** `floe system delete-generations`. */
export function deleteGenerations(this: CliContext, _flags: unknown, ...numbers: number[]): void {
  forget({ numbers, paths: switchPaths(), say: (line) => this.say(line) });
}

function labelOf(toplevel: string): string | undefined {
  try {
    return tryParseBootSpec(readFileSync(`${toplevel}/boot.json`, "utf8"))?.label;
  } catch {
    // A generation whose system is gone is still listed.
    return undefined;
  }
}
