import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT_LIMITS, readEvaluationSettings } from "./limits.ts";
import { makeFolder } from "./testing.ts";

const settings = (user: string, machine = "{}") => {
  const root = makeFolder({ "etc/floe/settings.json": machine, "home/.config/floe/settings.json": user });
  return readEvaluationSettings({ environment: {}, home: `${root}/home`, root }, "ci");
};

test("readEvaluationSettings() takes the user's word over the machine's, and the defaults below", () => {
  const defaults = { ...DEFAULT_LIMITS, stays: { first: 0, again: 0 } };
  assert.equal(settings('{ "minFree": "1G" }'), defaults);
  const machine = '{ "evaluationTimeout": 10, "evaluationMemory": "1G" }';
  assert.equal(settings('{ "evaluationTimeout": 0.5 }', machine), {
    timeoutSeconds: 0.5,
    memoryMiB: 1024,
    stays: { first: 0, again: 0 },
  });
  const nowhere = { environment: {}, home: "/nowhere", root: "/nowhere" };
  assert.equal(readEvaluationSettings(nowhere, "ci"), defaults);
});

test("readEvaluationSettings() lets a process stay for a person at once, for a program that asks again, and for no CI", () => {
  const nowhere = { environment: {}, home: "/nowhere", root: "/nowhere" };
  assert.equal(readEvaluationSettings(nowhere, "person").stays, { first: 180, again: 180 });
  assert.equal(readEvaluationSettings(nowhere, "program").stays, { first: 0, again: 180 });
  assert.equal(readEvaluationSettings(nowhere, "ci").stays, { first: 0, again: 0 });
  assert.equal(settings('{ "evaluatorStays": 60 }', '{ "evaluatorStays": 10 }').stays, { first: 60, again: 60 });
});

test("readEvaluationSettings() refuses what is no limit", () => {
  for (const text of [
    "{",
    '{ "evaluationTimeout": "1" }',
    '{ "evaluationTimeout": 0 }',
    '{ "evaluationMemory": "1M" }',
    '{ "evaluationMemory": true }',
    '{ "evaluatorStays": -1 }',
    '{ "evaluatorStays": "3m" }',
  ]) {
    assert.throws(
      () => settings(text),
      (error: { code: string }) => error.code === "evaluation.settings-malformed",
      text,
    );
  }
});

test.run();
