import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, callerLocation, formatLocation, raise, unreachable } from "./index.ts";

test("CodedError leaves out what it was not given", () => {
  assert.equal(Object.keys(new CodedError("a.b", "Cannot c")).sort(), ["code", "name"]);
  const error = new CodedError("a.b", "Cannot c", { hint: "Try d.", exitCode: 2, cause: "e" });
  assert.equal(
    [error.code, error.message, error.hint, error.exitCode, error.cause],
    ["a.b", "Cannot c", "Try d.", 2, "e"],
  );
});

test("raise() throws nothing for nothing, one fault as itself, and many as one error with each of them", () => {
  raise([]);
  const at = { file: "/f.ts", line: 1, column: 2 };
  const one = { code: "x.one", message: "Cannot one", at, hint: "Help." };
  assert.throws(
    () => raise([one]),
    (error: CodedError) => error.code === "x.one" && error.at === at && error.details === undefined,
  );
  assert.throws(
    () => raise([one, { code: "x.two", message: "Cannot two" }]),
    (error: CodedError) =>
      error.message === "Cannot one (and 1 more)" && error.details?.[0] === "/f.ts:1:2: Cannot one",
  );
});

test("unreachable() throws internal.unreachable", () => {
  assert.throws(
    () => unreachable("x" as never),
    (error: CodedError) => error.code === "internal.unreachable",
  );
});

test("callerLocation() is the line that called, in this file", () => {
  const here = callerLocation();
  assert.ok(here !== undefined);
  assert.match(formatLocation(here), /core\/base\/errors\.test\.ts:\d+:\d+$/);
});

test.run();
