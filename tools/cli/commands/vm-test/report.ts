import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../../../../core/host/files/index.ts";
import {
  combineRuns,
  formatDurations,
  makeReportRun,
  parseDurations,
  type ReportRun,
  readRunRecord,
  REPORT_FILE,
  showHostFault,
  showSeconds,
  writeJunit,
  writeReport,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { ReportFlags } from "./index.ts";

/** `floe vm-test report`: what `run` writes at its end, out of the records that are there. */
export default async function report(this: CliContext, flags: ReportFlags, ...folders: string[]): Promise<void> {
  const given = folders.map((folder) => resolve(this.cwd, folder));
  const found = given.flatMap(findRuns).map((folder) => makeReportRun(readRunRecord(folder)));
  const runs = combineRuns(found);
  const file = flags.output === undefined ? join(given[0] as string, REPORT_FILE) : resolve(this.cwd, flags.output);
  writeReport(file, runs);
  if (flags.junit !== undefined) writeJunit(resolve(this.cwd, flags.junit), runs);
  if (flags.durations !== undefined) keepDurations(resolve(this.cwd, flags.durations), runs);
  const last = runs.filter(({ retried }) => retried !== true);
  if (flags.json) return this.printJson(last.map(summarize));
  for (const run of last) {
    const tries = run.attempt === 1 ? "" : `, attempt ${run.attempt}`;
    const host = showHostFault(run);
    this.print(`${run.outcome} ${run.name} (${showSeconds(run.seconds)}${tries}${host === "" ? "" : `, ${host}`})`);
  }
  this.say(`report: ${file}`);
}

/** A folder is a record itself, or holds some: as `run --output` leaves them, by their tests' names. */
function findRuns(folder: string): string[] {
  const isRecord = (each: string): boolean => existsSync(join(each, "events.ndjson"));
  if (isRecord(folder) || !existsSync(folder)) return [folder];
  const inside = readdirSync(folder)
    .sort()
    .map((name) => join(folder, name))
    .filter(isRecord);
  return inside.length === 0 ? [folder] : inside;
}

/** What programs ask of a run. */
function summarize({ name, outcome, ofHost, afterHostFault, attempt, seconds, folder, error }: ReportRun): object {
  return { name, outcome, ofHost, afterHostFault, attempts: attempt, seconds, folder, error };
}

/** Add what tests took, that passed, to what is known. */
function keepDurations(file: string, runs: readonly ReportRun[]): void {
  const known = existsSync(file) ? parseDurations(readFileSync(file, "utf8"), file) : new Map<string, number>();
  const passed = runs.filter(({ outcome }) => outcome === "passed" || outcome === "flaky");
  const durations = new Map([...known, ...passed.map(({ name, seconds }) => [name, round(seconds)] as const)]);
  writeFileAtomic(file, formatDurations(durations));
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
