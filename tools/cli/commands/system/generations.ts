import { readFileSync } from "node:fs";
import { deleteGenerations as forget, switchPaths } from "../../../../core/host/activation/index.ts";
import { CodedError } from "../../../../core/base/index.ts";
import type { Profile } from "../../../../core/host/profile/index.ts";
import {
  SOURCES_FILE,
  type SourceRecord,
  tryParseBootSpec,
  tryParseSources,
} from "../../../../core/system/switch/index.ts";
import type { CliContext } from "../../context.ts";
import type { JsonFlags } from "../../flags.ts";
import type { DescribeFlags } from "./machine-commands.ts";
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
      sources: sourcesOf(target) ?? {},
    }));
  if (flags.json) return this.printJson(rows);
  for (const { generation, date, current, label, toplevel } of rows) {
    this.print(
      `${String(generation).padStart(4)}  ${date.slice(0, 19).replace("T", " ")}  ${current ? "current" : "       "}  ${label ?? toplevel}`,
    );
  }
}

/** `floe system describe`: of what commits a generation was made. */
export function describe(this: CliContext, { generation, json }: DescribeFlags): void {
  const { number, sources } = describeGeneration(systemProfile(), generation);
  if (json) return this.printJson({ generation: number, sources });
  this.print(`Generation ${number}`);
  for (const [name, { url, rev, ref, lastModified }] of Object.entries(sources)) {
    const date = lastModified === undefined ? "" : ` (${new Date(lastModified * 1000).toISOString().slice(0, 10)})`;
    const words = [`${name}:`, url, ref?.replace(/^refs\/(heads|tags)\//, ""), rev];
    this.print(`  ${words.filter((word) => word !== undefined).join(" ")}${date}`);
  }
}

/**
 * Of what a generation was made.
 *
 * @param generation Its number. Default the current one.
 * @throws {CodedError} `system.no-generation`, `system.no-sources`
 */
export function describeGeneration(
  profile: Profile,
  generation?: number,
): { readonly number: number; readonly sources: SourceRecord } {
  const one = profile
    .list()
    .find(({ number, current }) => (generation === undefined ? current : number === generation));
  if (one === undefined) {
    throw new CodedError(
      "system.no-generation",
      `Cannot describe ${generation === undefined ? "the current generation" : `generation ${generation}`}: this machine has none`,
      { hint: "`floe system list-generations` shows what there is." },
    );
  }
  const sources = sourcesOf(one.target);
  if (sources !== undefined) return { number: one.number, sources };
  throw new CodedError(
    "system.no-sources",
    `Cannot describe generation ${one.number}: it does not say of what it was made`,
    { hint: "Give makeSystem the inputs of the flake: makeSystem({ …, inputs })." },
  );
}

/** `floe system delete-generations`. */
export function deleteGenerations(this: CliContext, _flags: unknown, ...numbers: number[]): void {
  forget({ numbers, paths: switchPaths(), say: (line) => this.say(line) });
}

function sourcesOf(toplevel: string): SourceRecord | undefined {
  try {
    return tryParseSources(readFileSync(`${toplevel}/${SOURCES_FILE}`, "utf8"));
  } catch {
    // Its flake names no inputs, or the system is gone.
    return undefined;
  }
}

function labelOf(toplevel: string): string | undefined {
  try {
    return tryParseBootSpec(readFileSync(`${toplevel}/boot.json`, "utf8"))?.label;
  } catch {
    // A generation whose system is gone is still listed.
    return undefined;
  }
}
