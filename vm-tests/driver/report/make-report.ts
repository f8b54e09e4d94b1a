import { isInfrastructure } from "../failure-kind.ts";
import { compareRuns, findLastPassed } from "./compare-runs.ts";
import type { ReportCommand, ReportMachine, ReportRun, ReportStep, ReportUsage } from "./report-data.ts";
import type { MachineRecord, RecordedEvent, RecordedSample, RunRecord } from "./run-record.ts";
import { findUnitJobs } from "./unit-jobs.ts";

/** What a page can hold and still open at once; a guest that floods its console leaves the last of it. */
const MOST_LINES = 20_000;
const MOST_OUTPUT = 20_000;
const MIB = 1024 * 1024;

/** What a report shows of one run. */
export function makeReportRun(record: RunRecord): ReportRun {
  const { events, folder, error } = record;
  const run = events.find((event) => event.kind === "run");
  const result = events.find((event) => event.kind === "result");
  const seconds = result?.seconds ?? events.at(-1)?.at ?? 0;
  const passed = findLastPassed(record);
  const outcome = result === undefined ? "lost" : result.ok ? "passed" : "failed";
  return {
    name: run?.name ?? folder,
    ...(run?.platform === undefined ? {} : { platform: run.platform }),
    attempt: run?.attempt ?? 1,
    outcome,
    ...(isInfrastructure(result?.failure?.code ?? "") ? { ofHost: true } : {}),
    seconds,
    accelerator: run === undefined ? "none" : `${run.accelerator} (${run.reason})`,
    folder,
    ...(error === undefined ? {} : { error }),
    ...(result?.failure?.at === undefined ? {} : { at: result.failure.at }),
    steps: makeSteps(events, seconds, outcome),
    notes: events.flatMap((event) => (event.kind === "note" ? [{ at: event.at, text: event.text }] : [])),
    machines: record.machines.map((machine) => makeMachine(machine, events, seconds)),
    ...(passed === undefined ? {} : { comparison: compareRuns(passed, record) }),
  };
}

/** A step whose end is missing failed with its run, or was lost with it. */
function makeSteps(events: readonly RecordedEvent[], endOfRun: number, outcome: ReportStep["outcome"]): ReportStep[] {
  const steps: ReportStep[] = [];
  const open: number[] = [];
  for (const event of events) {
    if (event.kind === "step-begin") {
      open.push(steps.length);
      steps.push({
        name: event.name,
        depth: event.depth,
        begin: event.at,
        end: endOfRun,
        outcome: outcome === "lost" ? "lost" : "failed",
      });
    } else if (event.kind === "step-end") {
      const at = open.findLastIndex(
        (index) => steps[index]?.name === event.name && steps[index]?.depth === event.depth,
      );
      const index = open[at];
      const begun = index === undefined ? undefined : steps[index];
      if (index === undefined || begun === undefined) continue;
      open.splice(at, 1);
      steps[index] = { ...begun, end: event.at, outcome: event.ok ? "passed" : "failed" };
    }
  }
  return steps;
}

function makeMachine(record: MachineRecord, events: readonly RecordedEvent[], endOfRun: number): ReportMachine {
  const own = events.filter((event) => "machine" in event && event.machine === record.name);
  const omittedLines = Math.max(0, record.lines.length - MOST_LINES);
  return {
    name: record.name,
    states: makeStates(own, endOfRun),
    marks: own.flatMap((event): ReportMachine["marks"] => {
      if (event.kind === "trouble") return [{ at: event.at, text: event.line, trouble: true }];
      return event.kind === "machine" ? [{ at: event.at, text: event.text, trouble: false }] : [];
    }),
    commands: own.flatMap((event): ReportCommand[] => {
      if (event.kind !== "command") return [];
      const { at, seconds, command, status, stdout, stderr } = event;
      const begin = Math.max(0, at - seconds);
      return [{ begin, end: at, command: command.trim(), status, stdout: shorten(stdout), stderr: shorten(stderr) }];
    }),
    units: findUnitJobs(record.lines, endOfRun),
    lines: record.lines.slice(omittedLines),
    omittedLines,
    usage: makeUsage(record.samples),
    pictures: record.pictures.map(({ name, png }) => {
      const taken = own.find((event) => event.kind === "machine" && event.picture === name)?.at;
      return {
        name,
        source: `data:image/png;base64,${png.toString("base64")}`,
        ...(taken === undefined ? {} : { at: taken }),
      };
    }),
  };
}

function makeStates(events: readonly RecordedEvent[], endOfRun: number): ReportMachine["states"] {
  const changes = events.flatMap((event) =>
    event.kind === "machine" && event.state !== undefined ? [{ at: event.at, state: event.state }] : [],
  );
  return changes.map(({ at, state }, index) => ({ state, begin: at, end: changes[index + 1]?.at ?? endOfRun }));
}

function shorten(text: string): string {
  if (text.length <= MOST_OUTPUT) return text;
  const half = MOST_OUTPUT / 2;
  return `${text.slice(0, half)}\n… ${text.length - MOST_OUTPUT} characters are in events.ndjson …\n${text.slice(-half)}`;
}

/** Figures fall when a boot ends and the next begins, so a fall is a begin from nothing. */
function makeUsage(samples: readonly RecordedSample[]): ReportUsage[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index] as RecordedSample;
    const seconds = Math.max(0.001, sample.at - before.at);
    const grown = (key: "cpuSeconds" | "readBytes" | "writtenBytes"): number =>
      (sample[key] < before[key] ? sample[key] : sample[key] - before[key]) / seconds;
    return {
      begin: before.at,
      end: sample.at,
      cpus: grown("cpuSeconds"),
      memoryMiB: sample.memoryBytes / MIB,
      readMiBPerSecond: grown("readBytes") / MIB,
      writtenMiBPerSecond: grown("writtenBytes") / MIB,
    };
  });
}
