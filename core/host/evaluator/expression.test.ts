/** Expressions of the command line: what they may call by name, and where their mistakes are told. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import type { Expression } from "./protocol.ts";
import { ask, errorOf, flakeIn, flakeText, makeFolder } from "./testing.ts";

const folder = makeFolder({ "flake.config.ts": flakeText("{ a: { b: 1 } }") });

const asked = (text: string, kind: Expression["kind"] = "outputs", want: "value" | "print" = "value") =>
  ask(flakeIn(folder), "a", {
    question: { want, attribute: "a", candidates: [["a"]], expression: { kind, text } },
  });

function placeOf({ at }: CodedError): string {
  return `${at?.file}:${at?.line}:${at?.column}`;
}

test("an expression that is not at its end is told behind it, and by its own text", async () => {
  for (const [text, kind, place] of [
    ["1 +", "outputs", "1:4"],
    ["a =>", "apply", "1:5"],
    ["[1,\n2", "outputs", "2:2"],
  ] as const) {
    const error = await errorOf(asked(text, kind));
    assert.is(error.code, "evaluation.syntax", text);
    assert.is(placeOf(error), `<expression>:${place}`);
    const lines = text.split("\n");
    const last = lines.at(-1) as string;
    assert.equal(error.details, [last, `${" ".repeat(last.length)}^`]);
  }
});

test("what an expression gives, or cannot reach, is told at the expression and not at the flake", async () => {
  for (const [text, kind, code] of [
    ["undefined", "outputs", "evaluation.not-json"],
    ["(value: any) => value.c", "apply", "evaluation.not-json"],
    ["() => () => 1", "apply", "evaluation.not-json"],
    ["process", "outputs", "evaluation.impure"],
  ] as const) {
    const error = await errorOf(asked(text, kind));
    assert.is(error.code, code, text);
    assert.is(placeOf(error), "<expression>:1:1", text);
  }
  assert.match((await errorOf(asked("undefined"))).message, "found nothing (undefined)");
});

test("inputs are printed and given out, although they throw for a name they do not have", async () => {
  assert.is((await asked("inputs", "outputs", "print")).value, "{}");
  assert.equal((await asked("({ inputs, list: [inputs] })")).value, { inputs: {}, list: [{}] });
});

test.run();
