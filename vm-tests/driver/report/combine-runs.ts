import { compareText } from "../../../core/base/index.ts";
import type { ReportRun } from "./report-data.ts";

/**
 * Runs in one order, whatever they were collected from, with each test judged by its last attempt: one that passed after others had failed is
 * `flaky`, and the others are marked as retried. An attempt that the host ended says nothing about the test, and is told of all the same. So the records of a test suite that was divided among machines give what one machine's
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
  const failed = attempts.filter(({ attempt, outcome }) => attempt < last && outcome !== "passed");
  const hasFailed = failed.some(({ ofHost }) => ofHost !== true);
  const hadHostFault = failed.some(({ ofHost }) => ofHost === true);
  return attempts.map((run): ReportRun => {
    if (run.attempt < last) return { ...run, retried: true };
    return {
      ...run,
      ...(hadHostFault ? { afterHostFault: true } : {}),
      ...(hasFailed && run.outcome === "passed" ? { outcome: "flaky" } : {}),
    };
  });
}

function byName(one: ReportRun, other: ReportRun): number {
  return (
    compareText(one.name, other.name) ||
    compareText(one.platform ?? "", other.platform ?? "") ||
    one.attempt - other.attempt
  );
}

/** What the host had to do with how a run ended, to be read after its outcome; empty when it had nothing to do with it. */
export function showHostFault({ ofHost, afterHostFault }: ReportRun): string {
  if (ofHost === true) return "by a fault of the host";
  return afterHostFault === true ? "after a fault of the host" : "";
}
