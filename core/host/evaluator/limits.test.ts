import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_LIMITS, readEvaluationLimits } from "./limits.ts";
import { makeFolder } from "./testing.ts";

const settings = (user: string, machine = "{}") => {
  const root = makeFolder({ "etc/floe/settings.json": machine, "home/.config/floe/settings.json": user });
  return readEvaluationLimits({ environment: {}, home: `${root}/home`, root });
};

test("readEvaluationLimits() takes the user's word over the machine's, and the defaults below", () => {
  assert.equal(settings('{ "minFree": "1G" }'), DEFAULT_LIMITS);
  const machine = '{ "evaluationTimeout": 10, "evaluationMemory": "1G" }';
  assert.equal(settings('{ "evaluationTimeout": 0.5 }', machine), { timeoutSeconds: 0.5, memoryMiB: 1024 });
  assert.equal(readEvaluationLimits({ environment: {}, home: "/nowhere", root: "/nowhere" }), DEFAULT_LIMITS);
});

test("readEvaluationLimits() refuses what is no limit", () => {
  for (const text of [
    "{",
    '{ "evaluationTimeout": "1" }',
    '{ "evaluationTimeout": 0 }',
    '{ "evaluationMemory": "1M" }',
    '{ "evaluationMemory": true }',
  ]) {
    assert.throws(
      () => settings(text),
      (error: { code: string }) => error.code === "evaluation.settings-malformed",
      text,
    );
  }
});

test.run();
