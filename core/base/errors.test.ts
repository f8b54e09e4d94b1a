import { spawnSync } from "node:child_process";
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

test("a CodedError with details that a test throws is printed whole", () => {
  const program = `import { test } from "uvu";
import { CodedError } from ${JSON.stringify(import.meta.resolve("./index.ts"))};
test("it", () => { throw new CodedError("a.b", "Cannot c", { details: ["first line", "second line"] }); });
test.run();`;
  const words = ["--input-type=module", "--eval", program];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { cwd: import.meta.dirname, encoding: "utf8" });
  assert.is(status, 1, stderr);
  for (const line of ["Cannot c", "first line", "second line"]) assert.match(stdout, line);
});

test("CodedError keeps its details as they were given", () => {
  const { details } = new CodedError("a.b", "Cannot c", { details: Object.freeze(["one", "two"]) as string[] });
  assert.equal(details, ["one", "two"]);
  assert.is(JSON.stringify(details), '["one","two"]');
  assert.equal(Object.keys(details ?? []), ["0", "1"]);
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
