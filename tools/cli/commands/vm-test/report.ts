import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  makeReportRun,
  type ReportRun,
  readRunRecord,
  REPORT_FILE,
  showSeconds,
  writeJunit,
  writeReport,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import type { ReportFlags } from "./index.ts";

/** `floe vm-test report`: what `run` writes at its end, out of the records that are there. */
export default async function report(this: CliContext, flags: ReportFlags, ...folders: string[]): Promise<void> {
  const given = folders.map((folder) => resolve(this.cwd, folder));
  const runs = given.flatMap(findRuns).map((folder) => makeReportRun(readRunRecord(folder)));
  const file = flags.output === undefined ? join(given[0] as string, REPORT_FILE) : resolve(this.cwd, flags.output);
  writeReport(file, runs);
  if (flags.junit !== undefined) writeJunit(resolve(this.cwd, flags.junit), runs);
  if (flags.json) return this.printJson(runs.map(summarize));
  for (const run of runs) this.print(`${run.outcome} ${run.name} (${showSeconds(run.seconds)})`);
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
function summarize({ name, outcome, seconds, folder, error }: ReportRun): object {
  return { name, outcome, seconds, folder, ...(error === undefined ? {} : { error }) };
}
