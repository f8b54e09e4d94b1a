import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { combineRuns, showHostFault } from "./combine-runs.ts";
import { formatJunit } from "./junit.ts";
import type { ReportData, ReportRun } from "./report-data.ts";

/** Name of the page of a run, in its folder. */
export const REPORT_FILE = "report.html";

const PAGE = new URL("./page/", import.meta.url);

/**
 * Write the page of one or several runs: one file that needs no other, and no network.
 *
 * Everything in it that came out of a guest is data, which its script only ever shows as text.
 */
export function writeReport(file: string, runs: readonly ReportRun[]): void {
  writeWhole(file, formatReport(combineRuns(runs)));
}

/** Write the form of {@link formatJunit}. */
export function writeJunit(file: string, runs: readonly ReportRun[]): void {
  writeWhole(file, formatJunit(runs));
}

function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}

/** The page as text. */
export function formatReport(runs: readonly ReportRun[]): string {
  const title = runs.length === 1 ? `vm-test ${runs[0]?.name}` : `${runs.length} vm-tests`;
  const data: ReportData = {
    title,
    runs: runs.map((run) => ({ ...run, words: `${run.outcome} ${showHostFault(run)}`.trimEnd() })),
  };
  const style = readFileSync(fileURLToPath(new URL("style.css", PAGE)), "utf8");
  const script = stripTypeScriptTypes(readFileSync(fileURLToPath(new URL("script.ts", PAGE)), "utf8"));
  // A "<" inside JSON can only stand in a text, where its escape means the same, and no text can end the element then.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>
${style}</style>
</head>
<body>
<script type="application/json" id="data">${json}</script>
<script type="module">
${script}</script>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
