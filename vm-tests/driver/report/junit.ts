import type { ReportRun, ReportStep } from "./report-data.ts";

/**
 * Runs in the form that test services of most CI systems read.
 *
 * Shape: a suite for each test and a case for each of its outermost steps, with its seconds; a test without steps is one case. The case
 * that failed holds the error, and a run that did not come to its end is an error in place of a failure.
 *
 * Source: the schema of Jenkins' xUnit plugin, `junit-10.xsd`.
 */
export function formatJunit(runs: readonly ReportRun[]): string {
  const suites = runs.map(formatSuite);
  const count = (what: Outcome): number => suites.reduce((sum, suite) => sum + suite[what], 0);
  const head = `<testsuites tests="${count("tests")}" failures="${count("failures")}" errors="${count("errors")}">`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${head}\n${suites.map(({ text }) => text).join("")}</testsuites>\n`;
}

type Outcome = "tests" | "failures" | "errors";

function formatSuite(run: ReportRun): Readonly<Record<Outcome, number>> & { readonly text: string } {
  const outermost = run.steps.filter(({ depth }) => depth === 0);
  const whole: ReportStep = { name: run.name, depth: 0, begin: 0, end: run.seconds, outcome: run.outcome };
  // A story that failed between its steps, or before the first, has no step that shows it.
  const hidden = run.outcome !== "passed" && outermost.every(({ outcome }) => outcome === "passed");
  const cases = hidden || outermost.length === 0 ? [...outermost, whole] : outermost;
  const failed = cases.findIndex(({ outcome }) => outcome !== "passed");
  const texts = cases.map((step, index) => formatCase(run, step, index === failed));
  const count = (outcome: ReportStep["outcome"]): number => cases.filter((step) => step.outcome === outcome).length;
  const counts = { tests: cases.length, failures: count("failed"), errors: count("lost") };
  const attributes = `tests="${counts.tests}" failures="${counts.failures}" errors="${counts.errors}"`;
  const text =
    `  <testsuite name="${escapeXml(run.name)}" ${attributes} time="${run.seconds.toFixed(3)}">\n` +
    `${texts.join("")}    <system-out>${escapeXml(`records: ${run.folder}`)}</system-out>\n  </testsuite>\n`;
  return { ...counts, text };
}

function formatCase(run: ReportRun, step: ReportStep, holdsError: boolean): string {
  const time = (step.end - step.begin).toFixed(3);
  const open = `    <testcase name="${escapeXml(step.name)}" classname="${escapeXml(run.name)}" time="${time}"`;
  if (step.outcome === "passed") return `${open}/>\n`;
  const error = run.error ?? (step.outcome === "lost" ? "the run did not come to its end" : "failed");
  const message = escapeXml(error.split("\n")[0] ?? "");
  const kind = step.outcome === "lost" ? "error" : "failure";
  const body = holdsError ? escapeXml(error) : "";
  return `${open}>\n      <${kind} message="${message}">${body}</${kind}>\n    </testcase>\n`;
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
