import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";

const FILE = fileURLToPath(new URL("forbid-code.ts", import.meta.url));

/** Each way from a value to code of a text, tried after the call: the names of those that lead somewhere. */
const PROBE = `
const { forbidCodeFromText } = await import(${JSON.stringify(FILE)});
const early = (() => {}).constructor;
forbidCodeFromText();
const ways = {
  "an object": () => ({}).constructor.constructor("return 1")(),
  "a function": () => (() => {}).constructor("return 1")(),
  "a class": () => (class {}).constructor("return 1")(),
  "an async function": () => (async () => {}).constructor("return 1")(),
  "a generator": () => (function* () {}).constructor("return 1")(),
  "an async generator": () => (async function* () {}).constructor("return 1")(),
  "Function": () => Function("return 1")(),
  "Function with new": () => new Function("return 1")(),
  "eval": () => (0, eval)("1"),
  "a prototype": () => Function.prototype.constructor("return 1")(),
  "another prototype": () => Object.getPrototypeOf(() => {}).constructor("return 1")(),
  "taken away": () => { delete Function.prototype.constructor; return Function.prototype.constructor("return 1")(); },
  "put back": () => { Function.prototype.constructor = early; return (() => {}).constructor("return 1")(); },
};
const open = [];
for (const [name, way] of Object.entries(ways)) {
  try { way(); open.push(name); } catch (error) { if (!(error instanceof EvalError) && !(error instanceof TypeError)) open.push(name); }
}
console.log(JSON.stringify({ open, same: (() => {}) instanceof Function, own: early("return 1")() }));
`;

test("forbidCodeFromText() leaves no way from a value to code of a text", () => {
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", PROBE];
  const said = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as Record<string, unknown>;
  // Who had the constructor before still has it: nothing of Node's own breaks.
  assert.equal(said, { open: [], same: true, own: 1 });
});

test.run();
