import type { RecordedLine } from "./run-record.ts";
import type { ReportUnit } from "./report-data.ts";

const MANAGER = /(?:^|\s)systemd\[1\]: (.+)$/;
const BEGIN = /^(?:Starting|Stopping|Reloading|Mounting|Unmounting|Activating swap) (.+?)\.\.\.$/;
const END =
  /^(Started|Finished|Reached target|Stopped target|Stopped|Listening on|Closed|Reloaded|Mounted|Unmounted|Created slice|Removed slice|Set up automount|Activated swap|Failed to start|Failed to mount|Failed to listen on) (.+?)\.?$/;

/**
 * Jobs of units, out of what systemd says about them in the journal.
 *
 * Shape: a job without a beginning of its own (a target that was reached) begins where it ends.
 *
 * Source: systemd, `src/core/job.c`: messages of jobs with their results.
 */
export function findUnitJobs(lines: readonly RecordedLine[], endOfRun: number): ReportUnit[] {
  const open = new Map<string, number>();
  const units: ReportUnit[] = [];
  for (const { at, from, line } of lines) {
    if (from !== "journal") continue;
    const said = MANAGER.exec(line)?.[1];
    if (said === undefined) continue;
    const begun = BEGIN.exec(said)?.[1];
    if (begun !== undefined) {
      open.set(begun, at);
      continue;
    }
    const ended = END.exec(said);
    const [, verb, name] = ended ?? [];
    if (verb === undefined || name === undefined) continue;
    units.push({ name, begin: open.get(name) ?? at, end: at, outcome: outcomeOf(verb) });
    open.delete(name);
  }
  for (const [name, begin] of open) units.push({ name, begin, end: endOfRun, outcome: "open" });
  return units.sort((one, other) => one.begin - other.begin || one.end - other.end);
}

function outcomeOf(verb: string): ReportUnit["outcome"] {
  if (verb.startsWith("Failed")) return "failed";
  return /^(Stopped|Closed|Unmounted|Removed)/.test(verb) ? "stopped" : "started";
}
