import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../../../core/base/index.ts";
import { type Attempt, judgeAttempt } from "./judge-attempt.ts";

type How = "passed" | "failed" | "host";

const CODES = { failed: "command.failed", host: "machine.qemu-died" } as const;

function attempt(how: How, number: number): Attempt {
  const error = how === "passed" ? {} : { error: new CodedError(CODES[how], "Cannot go on") };
  return { number, ok: how === "passed", unchanged: false, seconds: 1, ...error };
}

/** Let a test end in these ways, as often as it is tried. @returns how each try was judged. */
function run(ends: readonly How[], retry: number): string[] {
  const told: string[] = [];
  const before: Attempt[] = [];
  for (const how of ends) {
    const next = attempt(how, before.length + 1);
    const { outcome, ofHost, isTriedAgain } = judgeAttempt(before, next, retry);
    told.push(`${outcome}${ofHost ? " by the host" : ""}`);
    before.push(next);
    if (!isTriedAgain) return told;
  }
  return [...told, "tried again"];
}

test("judgeAttempt() forgives the host once, and calls what follows by its own name", () => {
  assert.equal(run(["host", "passed"], 0), ["failed by the host", "passed"]);
  assert.equal(run(["host", "failed"], 0), ["failed by the host", "failed"]);
  assert.equal(run(["host", "host"], 0), ["failed by the host", "failed by the host"]);
  assert.equal(run(["failed"], 0), ["failed"]);
});

test("judgeAttempt() counts tries for failures and for faults of the host apart", () => {
  assert.equal(run(["failed", "host", "passed"], 1), ["failed", "failed by the host", "flaky"]);
  assert.equal(run(["host", "failed", "passed"], 1), ["failed by the host", "failed", "flaky"]);
  assert.equal(run(["host", "failed", "failed"], 1), ["failed by the host", "failed", "failed"]);
  // No number of retries is spent on a host that is broken.
  assert.equal(run(["host", "host"], 5), ["failed by the host", "failed by the host"]);
});

test("judgeAttempt() ends within the retries and one more, and calls flaky what failed by itself and then passed", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom<How>("passed", "failed", "host")), fc.nat(4), (ends, retry) => {
      const told = run([...ends, "passed"], retry);
      assert.is.not(told.at(-1), "tried again");
      assert.ok(told.length <= retry + 2);
      const failures = told.slice(0, -1).filter((each) => each === "failed").length;
      const last = told.at(-1);
      if (last === "passed" || last === "flaky") assert.is(last, failures > 0 ? "flaky" : "passed");
    }),
  );
});

test.run();
