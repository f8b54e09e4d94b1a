import { test } from "uvu";
import * as assert from "uvu/assert";
import { childFailure, ranOutOfMemory } from "./child-failure.ts";
import { FLAKE_PLACE, Places } from "./places.ts";

const places = new Places([{ path: FLAKE_PLACE, hostPath: "/home/flake", name: "the flake" }]);

test("childFailure() reads what Node 24 prints for an uncaught syntax error of another realm", () => {
  const errors = `hello from the configuration
/@flake/lib.ts:2
const a = 2;
      ^

[SyntaxError: Identifier 'a' has already been declared]

Node.js v24.21.0
`;
  const { code, message, at, details } = childFailure({ errors, status: 1, signal: null }, places);
  assert.is(code, "evaluation.syntax");
  assert.is(message, `Cannot load "/home/flake/lib.ts": Identifier 'a' has already been declared`);
  assert.equal(at, { file: "/home/flake/lib.ts", line: 2, column: 7 });
  assert.equal(details, ["const a = 2;", "      ^"]);
});

test("ranOutOfMemory() tells lack of memory from a crash; childFailure() shows the last words of one", () => {
  const memory = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n";
  assert.ok(ranOutOfMemory(memory));
  assert.not.ok(ranOutOfMemory("one\n\ntwo\n"));
  const crash = childFailure({ errors: "one\n\ntwo\n", status: null, signal: "SIGSEGV" }, places);
  assert.is(crash.code, "evaluation.crashed");
  assert.match(crash.message, "signal SIGSEGV");
  assert.equal(crash.details, ["one", "two"]);
});

test("childFailure() is quick with much text that looks like carets", () => {
  const errors = `${"^\n\n".repeat(100_000)}${" ".repeat(100_000)}^`;
  const before = process.cpuUsage();
  assert.is(childFailure({ errors, status: 1, signal: null }, places).code, "evaluation.crashed");
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 1_000_000, `${user + system} µs`);
});

test.run();
