import { spawnSync } from "node:child_process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatJunit } from "./junit.ts";
import type { ReportRun, ReportStep } from "./report-data.ts";

function runOf(outcome: ReportRun["outcome"], steps: readonly Partial<ReportStep>[], error?: string): ReportRun {
  return {
    name: "page",
    attempt: 1,
    outcome,
    seconds: 12.5,
    accelerator: "tcg",
    folder: "/records/page",
    steps: steps.map((step) => ({ name: "step", depth: 0, begin: 1, end: 3, outcome: "passed", ...step })),
    notes: [],
    machines: [],
    ...(error === undefined ? {} : { error }),
  };
}

test("formatJunit() has a case for each outermost step", () => {
  const steps = [{ name: "boots" }, { name: "inner", depth: 1 }, { name: "serves", begin: 3, end: 10.5 }];
  assert.is(
    formatJunit([runOf("passed", steps)]),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="0" errors="0">
  <testsuite name="page" tests="2" failures="0" errors="0" time="12.500">
    <testcase name="boots" classname="page" time="2.000"/>
    <testcase name="serves" classname="page" time="7.500"/>
    <system-out>records: /records/page</system-out>
  </testsuite>
</testsuites>
`,
  );
});

test("formatJunit() puts the error into the step that failed", () => {
  const text = formatJunit([runOf("failed", [{}, { outcome: "failed" }], "Cannot go on\nstory: a.ts:3:1")]);
  assert.match(text, `<testsuites tests="2" failures="1" errors="0">`);
  assert.match(text, `<failure message="Cannot go on">Cannot go on&#10;story: a.ts:3:1</failure>`);
});

test("formatJunit() has a case for what failed in no step", () => {
  assert.match(formatJunit([runOf("failed", [{}], "between")]), `tests="2" failures="1"`);
  assert.match(formatJunit([runOf("passed", [])]), `<testcase name="page" classname="page" time="12.500"/>`);
  assert.match(formatJunit([runOf("lost", [])]), `<error message="the run did not come to its end">`);
});

const PYTHON = spawnSync("python3", ["-c", "import xml.dom"]).status === 0;
if (!PYTHON) console.log("skipped a parser of XML that is not ours: python3 is not installed");

(PYTHON ? test : test.skip)("formatJunit() stays XML whatever a guest said", () => {
  const evil = `]]></failure>&"'<b>\u0000\u001b[31m\ud800 end\ufffe`;
  const text = formatJunit([runOf("failed", [{ name: evil, outcome: "failed" }], evil)]);
  const read =
    "import sys, xml.dom.minidom as m; print(m.parseString(sys.stdin.buffer.read()).getElementsByTagName('failure')[0].firstChild.data)";
  const { stdout, status, stderr } = spawnSync("python3", ["-c", read], {
    input: text,
    encoding: "utf8",
    env: { ...process.env, PYTHONIOENCODING: "utf8" },
  });
  assert.is(status, 0, stderr);
  assert.is(stdout, `]]></failure>&"'<b>\ufffd\ufffd[31m\ufffd end\ufffd\n`);
});

test.run();
