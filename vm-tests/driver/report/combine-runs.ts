import { compareText } from "../../../core/base/index.ts";
import type { ReportRun } from "./report-data.ts";

/**
 * Runs in one order, whatever they were collected from, with each test judged by its last attempt: one that passed after others had failed is
 * `flaky`, and the others are marked as retried. So the records of a test suite that was divided among machines give what one machine's
 * records give.
 */
export function combineRuns(runs: readonly ReportRun[]): ReportRun[] {
  const byTest = new Map<string, ReportRun[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.name, run.platform ?? ""]);
    byTest.set(key, [...(byTest.get(key) ?? []), run]);
  }
  return [...byTest.values()].flatMap(judge).sort(byName);
}

function judge(runs: readonly ReportRun[]): ReportRun[] {
  const attempts = [...runs].sort((one, other) => one.attempt - other.attempt);
  const last = attempts.at(-1)?.attempt ?? 1;
  const hasFailed = attempts.some(({ attempt, outcome }) => attempt < last && outcome !== "passed");
  return attempts.map((run): ReportRun => {
    if (run.attempt < last) return { ...run, retried: true };
    return hasFailed && run.outcome === "passed" ? { ...run, outcome: "flaky" } : run;
  });
}

function byName(one: ReportRun, other: ReportRun): number {
  return (
    compareText(one.name, other.name) ||
    compareText(one.platform ?? "", other.platform ?? "") ||
    one.attempt - other.attempt
  );
}
