import { test } from "uvu";
import * as assert from "uvu/assert";
import { sum, totals } from "./report.ts";
import { readTotals } from "./unit.ts";

const child = (output: string, code: number | undefined = 0) => ({ code, output, timedOut: false, seconds: 0 });
const uvu = (total: number, passed: number, skipped: number) =>
  `\n  Total:     ${total}\n  Passed:    \x1b[32m${passed}\x1b[39m\n  Skipped:   ${skipped}\n  Duration:  3ms\n`;

test("readTotals() reads what uvu prints", () => {
  assert.equal(readTotals("a", child(uvu(5, 5, 1))), { passed: 5, failed: 0, skipped: 1, failures: [] });
});

test("readTotals() counts tests that did not pass, even when the exit code is 0", () => {
  const result = readTotals("a", child(uvu(5, 3, 0)));
  assert.is(result.failed, 2);
  assert.is(result.failures.length, 1);
});

test("readTotals() takes a file without totals, with a bad exit code or out of time as failed", () => {
  assert.is(readTotals("a", child("")).failed, 1);
  assert.is(readTotals("a", child(uvu(2, 2, 0), 1)).failed, 1);
  assert.is(readTotals("a", { ...child(uvu(2, 2, 0)), timedOut: true }).failed, 1);
});

test("readTotals() names the test that a file hung in", () => {
  const hung = (output: string) => readTotals("a", { ...child(output, undefined), timedOut: true, seconds: 180.2 });
  const told = (output: string) => hung(output).failures[0]?.output.split("\n").at(-1);
  assert.is(
    told("\n▸ a() does b\n  • \n▸ c() waits\n  words of its own\nand more"),
    'stopped after 180 s, in "c() waits"',
  );
  assert.is(told("\n▸ a() does b\n  • \n▸ c() waits\n  • "), 'stopped after 180 s, after "c() waits"');
  assert.is(told("words"), "stopped after 180 s, before its first test");
});

test("totals() is the last line of the test command", () => {
  const one = { passed: 2, failed: 1, skipped: 0, failures: [] };
  assert.is(totals(one), "2 passed, 1 failed");
  assert.is(totals(sum([one, { ...one, skipped: 3 }])), "4 passed, 2 failed, 3 skipped");
});

test.run();
