import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { showSeconds } from "../run-log.ts";
import type { ReportComparison, ReportDifference } from "./report-data.ts";
import { type RecordedEvent, readRunRecord, type RunRecord } from "./run-record.ts";

/** A step has to become slower or faster by this factor and so many seconds to be worth a line. */
const NOTABLE_FACTOR = 1.5;
const NOTABLE_SECONDS = 2;

/**
 * The last run of the same test before this one that passed, among the folders beside it; their names are times, so their order is.
 */
export function findLastPassed(record: RunRecord): RunRecord | undefined {
  const test = eventOf(record, "run")?.name;
  return runsBefore(record.folder).find(
    (found) => eventOf(found, "run")?.name === test && eventOf(found, "result")?.ok === true,
  );
}

/** The folder of the last run that passed, among those beside and before a run's folder. */
export function findLastRun(folder: string): string | undefined {
  return runsBefore(folder).find((found) => eventOf(found, "result")?.ok === true)?.folder;
}

/** The last one first. */
function runsBefore(folder: string): IteratorObject<RunRecord> {
  const parent = dirname(folder);
  const names = existsSync(parent) ? readdirSync(parent) : [];
  return names
    .filter((name) => name < basename(folder) && existsSync(join(parent, name, "events.ndjson")))
    .sort()
    .reverse()
    .values()
    .map((name) => readRunRecord(join(parent, name)));
}

/** What a reader of a failure asks first: what is not as it was when this passed? */
export function compareRuns(before: RunRecord, now: RunRecord): ReportComparison {
  return {
    folder: before.folder,
    differences: [...compareSurroundings(before, now), ...compareSteps(before, now), ...compareTroubles(before, now)],
  };
}

function compareSurroundings(before: RunRecord, now: RunRecord): ReportDifference[] {
  const [old, current] = [eventOf(before, "run"), eventOf(now, "run")];
  const pairs: [string, string | undefined, string | undefined][] = [
    ["accelerator", old?.accelerator, current?.accelerator],
    ["story", old?.story, current?.story],
  ];
  const parts = new Set([...Object.keys(old?.systems ?? {}), ...Object.keys(current?.systems ?? {})]);
  for (const part of [...parts].sort()) pairs.push([part, old?.systems?.[part], current?.systems?.[part]]);
  return pairs.flatMap(([what, was, is]) => (was === is ? [] : [{ what, before: was ?? "–", now: is ?? "–" }]));
}

interface StepFigures {
  readonly outcome: string;
  readonly seconds: number;
}

function compareSteps(before: RunRecord, now: RunRecord): ReportDifference[] {
  const [old, current] = [stepsOf(before), stepsOf(now)];
  const differences: ReportDifference[] = [];
  for (const name of new Set([...old.keys(), ...current.keys()])) {
    const [was, is] = [old.get(name), current.get(name)];
    if (was !== undefined && is !== undefined && was.outcome === is.outcome && !isNotable(was.seconds, is.seconds))
      continue;
    differences.push({ what: `step "${name}"`, before: show(was), now: show(is) });
  }
  return differences;
}

function show(step: StepFigures | undefined): string {
  return step === undefined ? "not reached" : `${step.outcome} in ${showSeconds(step.seconds)}`;
}

function isNotable(before: number, now: number): boolean {
  const [less, more] = before < now ? [before, now] : [now, before];
  return more - less > NOTABLE_SECONDS && more > less * NOTABLE_FACTOR;
}

/** A step that is there twice counts by its last time. */
function stepsOf(record: RunRecord): Map<string, StepFigures> {
  return new Map(
    record.events.flatMap((event) =>
      event.kind === "step-end"
        ? [[event.name, { outcome: event.ok ? "passed" : "failed", seconds: event.seconds }]]
        : [],
    ),
  );
}

function compareTroubles(before: RunRecord, now: RunRecord): ReportDifference[] {
  const known = new Set(troublesOf(before));
  return troublesOf(now)
    .filter((line) => !known.has(line))
    .map((line) => ({ what: "trouble on a console", before: "–", now: line }));
}

/** Without the times and addresses in them, which are others in each run. */
function troublesOf(record: RunRecord): string[] {
  return record.events.flatMap((event) =>
    event.kind === "trouble"
      ? [`${event.machine}: ${event.line.replace(/^\[\s*[\d.]+\]\s*/, "").replace(/0x[0-9a-f]+/g, "0x…")}`]
      : [],
  );
}

function eventOf<Kind extends RecordedEvent["kind"]>(
  record: RunRecord,
  kind: Kind,
): Extract<RecordedEvent, { kind: Kind }> | undefined {
  return record.events.find((event) => event.kind === kind) as Extract<RecordedEvent, { kind: Kind }> | undefined;
}
