import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { combineRuns, showHostFault } from "./combine-runs.ts";
import { formatJunit } from "./junit.ts";
import type { ReportRun } from "./report-data.ts";
import { formatReport } from "./write-report.ts";

function run(name: string, outcome: ReportRun["outcome"], attempt = 1, more: Partial<ReportRun> = {}): ReportRun {
  const base = { name, outcome, attempt, seconds: 1, accelerator: "tcg", folder: `/records/${name}~${attempt}` };
  return { ...base, steps: [], notes: [], machines: [], ...more };
}

const shown = (runs: readonly ReportRun[]): string[] =>
  combineRuns(runs).map(
    ({ name, outcome, attempt, retried }) => `${name} ${attempt} ${outcome}${retried === true ? " retried" : ""}`,
  );

test("combineRuns() calls a test flaky that passed after it had failed, and keeps how it failed", () => {
  assert.equal(shown([run("b", "passed"), run("a", "passed", 3), run("a", "failed"), run("a", "lost", 2)]), [
    "a 1 failed retried",
    "a 2 lost retried",
    "a 3 flaky",
    "b 1 passed",
  ]);
});

test("combineRuns() calls a test failed that failed each time", () => {
  assert.equal(shown([run("a", "failed"), run("a", "failed", 2)]), ["a 1 failed retried", "a 2 failed"]);
});

test("combineRuns() takes a fault of the host for no failure of the test, and tells of it", () => {
  const host = (attempt = 1): ReportRun => run("a", "failed", attempt, { ofHost: true });
  const told = (runs: readonly ReportRun[]): string[] =>
    combineRuns(runs).map((each) => `${each.outcome} ${showHostFault(each)}`.trimEnd());
  assert.equal(told([host(), run("a", "passed", 2)]), [
    "failed by a fault of the host",
    "passed after a fault of the host",
  ]);
  assert.is(told([host(), host(2)])[1], "failed by a fault of the host");
  assert.is(told([run("a", "failed"), host(2), run("a", "passed", 3)])[2], "flaky after a fault of the host");
});

test("combineRuns() tells tests of two platforms apart", () => {
  const on = (platform: string) => ({ platform });
  const runs = [run("a", "passed", 2, on("x86_64-linux")), run("a", "failed", 1, on("aarch64-linux"))];
  assert.equal(shown(runs), ["a 1 failed", "a 2 passed"]);
});

/** Runs of a few tests, each with its tries. */
const suite = fc
  .uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "boot", "é"), { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc
          .tuple(fc.nat(2), fc.constantFrom("passed" as const, "failed" as const, "lost" as const), fc.boolean())
          .map(([failures, last, ofHost]) => [
            ...Array.from({ length: failures }, (_, index) =>
              run(name, "failed", index + 1, { error: `no ${index}`, ...(ofHost ? { ofHost } : {}) }),
            ),
            run(name, last, failures + 1),
          ]),
      ),
    ),
  );

test("records of shards come to the report of one run, in whatever order they are collected", () => {
  fc.assert(
    fc.property(suite, fc.infiniteStream(fc.nat()), (tests, numbers) => {
      const shards: ReportRun[][] = [[], [], []];
      for (const each of tests) shards[numbers.next().value % 3]?.push(...each);
      const merged = shards.sort(() => (numbers.next().value % 2) - 0.5).flat();
      assert.equal(combineRuns(merged), combineRuns(tests.flat()));
      assert.equal(combineRuns(combineRuns(merged)), combineRuns(merged));
      assert.is(formatJunit(merged), formatJunit(tests.flat()));
    }),
  );
});

test("formatJunit() shows flakes apart from what passed and what failed", () => {
  const step = { name: "serves", depth: 0, begin: 0, end: 1, outcome: "passed" as const };
  const flaky = formatJunit([
    run("web", "failed", 1, { error: "Cannot serve\nat once", steps: [{ ...step, outcome: "failed" }] }),
    run("web", "passed", 2, { steps: [{ ...step, name: "boots" }, step] }),
  ]);
  assert.match(flaky, `<testsuites tests="2" failures="0" errors="0">`);
  assert.match(flaky, `<testcase name="boots" classname="web" time="1.000"/>`);
  assert.match(
    flaky,
    `name="serves" classname="web" time="1.000">\n      <flakyFailure message="Cannot serve" type="attempt 1">Cannot serve&#10;at once</flakyFailure>\n    </testcase>`,
  );
  const failed = formatJunit([run("web", "failed", 1, { error: "one" }), run("web", "failed", 2, { error: "two" })]);
  assert.match(failed, `<testsuites tests="1" failures="1" errors="0">`);
  assert.match(failed, `<failure message="two">two</failure>\n      <rerunFailure message="one" type="attempt 1">one<`);
});

test("formatJunit() makes an error of what the host did, and a failure of what failed", () => {
  const host = (attempt: number): ReportRun => run("web", "failed", attempt, { error: "QEMU ended", ofHost: true });
  const passed = formatJunit([host(1), run("web", "passed", 2)]);
  assert.match(passed, `<testsuites tests="1" failures="0" errors="0">`);
  assert.match(passed, `<flakyError message="QEMU ended" type="attempt 1">QEMU ended</flakyError>`);
  const broken = formatJunit([host(1), host(2)]);
  assert.match(broken, `<testsuites tests="1" failures="0" errors="1">`);
  assert.match(
    broken,
    `<error message="QEMU ended">QEMU ended</error>\n      <rerunError message="QEMU ended" type="attempt 1">`,
  );
  const failed = formatJunit([host(1), run("web", "failed", 2, { error: "no page" })]);
  assert.match(failed, `<testsuites tests="1" failures="1" errors="0">`);
  assert.match(failed, `<failure message="no page">no page</failure>\n      <rerunError `);
});

test("formatReport() has every try", () => {
  const page = formatReport(combineRuns([run("a", "failed"), run("a", "passed", 2)]));
  assert.match(page, `"outcome":"flaky"`);
  assert.match(page, `"retried":true`);
});

test.run();
