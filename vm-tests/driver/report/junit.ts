import { combineRuns } from "./combine-runs.ts";
import type { ReportRun, ReportStep } from "./report-data.ts";

/**
 * Runs in the form that test services of most CI systems read.
 *
 * Shape: a suite for each test and a case for each of its outermost steps, with its seconds; a test without steps is one case. The case
 * that failed holds the error. A run that did not come to its end, or that a fault of the host ended, is an `error` in place of a `failure`.
 * Of a test that was tried more than once the last run counts; how the others failed is a `flakyFailure` or `flakyError` of a case that
 * passed, and a `rerunFailure` or `rerunError` of one that did not.
 *
 * Source: the schemas of Jenkins' xUnit plugin, `junit-10.xsd`, and of Maven Surefire's reports.
 */
export function formatJunit(runs: readonly ReportRun[]): string {
  const combined = combineRuns(runs);
  const suites = combined
    .filter(({ retried }) => retried !== true)
    .map((run) =>
      formatSuite(
        run,
        combined.filter((other) => other.retried === true && isSameTest(run, other)),
      ),
    );
  const count = (what: Outcome): number => suites.reduce((sum, suite) => sum + suite[what], 0);
  const head = `<testsuites tests="${count("tests")}" failures="${count("failures")}" errors="${count("errors")}">`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${head}\n${suites.map(({ text }) => text).join("")}</testsuites>\n`;
}

type Outcome = "tests" | "failures" | "errors";

function isSameTest(one: ReportRun, other: ReportRun): boolean {
  return one.name === other.name && one.platform === other.platform;
}

function formatSuite(
  run: ReportRun,
  earlier: readonly ReportRun[],
): Readonly<Record<Outcome, number>> & { readonly text: string } {
  const outermost = run.steps.filter(({ depth }) => depth === 0);
  const result = run.outcome === "flaky" ? "passed" : run.outcome;
  const whole: ReportStep = { name: run.name, depth: 0, begin: 0, end: run.seconds, outcome: result };
  // A story that failed between its steps, or before the first, has no step that shows it.
  const hidden = result !== "passed" && outermost.every(({ outcome }) => outcome === "passed");
  const cases = hidden || outermost.length === 0 ? [...outermost, whole] : outermost;
  const failed = cases.findIndex(({ outcome }) => outcome !== "passed");
  const shown = earlier.map((each) => ({ run: each, index: failed >= 0 ? failed : Math.max(0, caseOf(each, cases)) }));
  const texts = cases.map((step, index) =>
    formatCase(run, step, {
      holdsError: index === failed,
      earlier: shown.filter((each) => each.index === index).map((each) => each.run),
    }),
  );
  const red = cases.filter(({ outcome }) => outcome !== "passed");
  const errors = red.filter(({ outcome }) => isError(run, outcome)).length;
  const counts = { tests: cases.length, failures: red.length - errors, errors };
  const attributes = `tests="${counts.tests}" failures="${counts.failures}" errors="${counts.errors}"`;
  const name = escapeXml(run.name);
  const text =
    `  <testsuite name="${name}" ${attributes} time="${run.seconds.toFixed(3)}">\n` +
    `${texts.join("")}    <system-out>${escapeXml(`records: ${run.folder}`)}</system-out>\n  </testsuite>\n`;
  return { ...counts, text };
}

/** The case in which an earlier try failed; less than 0 when there is none of that name. */
function caseOf({ steps }: ReportRun, cases: readonly ReportStep[]): number {
  const failed = steps.find(({ depth, outcome }) => depth === 0 && outcome !== "passed");
  return cases.findIndex(({ name }) => name === failed?.name);
}

interface CaseContext {
  readonly holdsError: boolean;
  /** Tries that failed here before. */
  readonly earlier: readonly ReportRun[];
}

function formatCase(run: ReportRun, step: ReportStep, { holdsError, earlier }: CaseContext): string {
  const time = (step.end - step.begin).toFixed(3);
  const open = `    <testcase name="${escapeXml(step.name)}" classname="${escapeXml(run.name)}" time="${time}"`;
  const prefix = step.outcome === "passed" ? "flaky" : "rerun";
  const others = earlier
    .map((each) => formatFailure(`${prefix}${isError(each, each.outcome) ? "Error" : "Failure"}`, each, true))
    .join("");
  if (step.outcome === "passed") return others === "" ? `${open}/>\n` : `${open}>\n${others}    </testcase>\n`;
  const kind = isError(run, step.outcome) ? "error" : "failure";
  return `${open}>\n${formatFailure(kind, run, holdsError)}${others}    </testcase>\n`;
}

/** Whether an outcome says nothing about what is tested. */
function isError({ ofHost }: ReportRun, outcome: ReportRun["outcome"]): boolean {
  return outcome === "lost" || ofHost === true;
}

function formatFailure(kind: string, run: ReportRun, holdsError: boolean): string {
  const error = run.error ?? (run.outcome === "lost" ? "the run did not come to its end" : "failed");
  const message = escapeXml(error.split("\n")[0] ?? "");
  const type = kind.startsWith("flaky") || kind.startsWith("rerun") ? ` type="attempt ${run.attempt}"` : "";
  return `      <${kind} message="${message}"${type}>${holdsError ? escapeXml(error) : ""}</${kind}>\n`;
}

/** Text for elements and attributes; characters that XML 1.0 does not have become U+FFFD. */
function escapeXml(text: string): string {
  return text
    .replace(
      /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      "\ufffd",
    )
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\n", "&#10;");
}
