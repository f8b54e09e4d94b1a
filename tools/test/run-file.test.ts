import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readTotals } from "./unit.ts";

const folder = mkdtempSync(join(tmpdir(), "run-file-test-"));
test.after(() => rmSync(folder, { recursive: true }));

/** What is printed of a file with such tests, and what is counted. */
function run(text: string) {
  const file = join(folder, "x.test.ts");
  const imports = ["uvu", "../../core/base/index.ts", "qemu-wrapper"].map((name) =>
    JSON.stringify(import.meta.resolve(name)),
  );
  const names = ["{ test }", "{ CodedError }", "{ QemuError }"];
  const lines = names.map((name, index) => `import ${name} from ${imports[index]};\n`).join("");
  writeFileSync(file, `${lines}${text}\ntest.run();\n`);
  const words = [join(import.meta.dirname, "run-file.ts"), file];
  const { stdout, stderr, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
  const output = stdout + stderr;
  const { passed, failed } = readTotals(file, { code: status ?? undefined, output, timedOut: false, seconds: 0 });
  return { output, passed, failed };
}

/** The places of these texts in another one, each of which has to be in it. */
function assertInOrder(output: string, texts: readonly string[]): void {
  let from = 0;
  for (const text of texts) {
    const at = output.indexOf(text, from);
    assert.ok(at >= 0, `"${text}" is not behind the one before it in:\n${output}`);
    from = at + text.length;
  }
}

test("run-file.ts shows all of an error with details, and goes on with the next test", () => {
  for (const error of ["CodedError", "QemuError"]) {
    const { output, passed, failed } = run(`
      const cause = new Error("the one below");
      test("it", () => { throw new ${error}("a.b", "Cannot c", { details: ["first line", "second line"], hint: "Try d.", cause }); });
      test("next", () => {});
    `);
    assert.equal([passed, failed], [1, 1]);
    const shown = [`"it"`, "Cannot c", "x.test.ts:", "a.b", "first line", "second line", "the one below", "x.test.ts:"];
    assertInOrder(output, shown);
    assert.match(output, "Try d.");
  }
});

test("run-file.ts shows what was thrown that is no error", () => {
  const { output, passed, failed } = run(`
    test("nothing", () => { throw undefined; });
    test("a text", () => { throw "thrown so"; });
    test("a list", () => Promise.reject([1, { two: "three" }]));
    test("next", () => {});
  `);
  assert.equal([passed, failed], [1, 3]);
  assertInOrder(output, [`"nothing"`, "undefined", `"a text"`, "thrown so", `"a list"`, "three"]);
});

test("run-file.ts shows what fails before the tests and after them, and the tests that failed", () => {
  const before = run(`test.before(() => { throw new Error("no server"); }); test("it", () => {});`);
  assert.equal([before.passed, before.failed], [0, 1]);
  assertInOrder(before.output, ["before the tests", "no server"]);
  const after = run(
    `test.after(() => { throw new Error("not removed"); }); test("it", () => { throw new Error("why"); });`,
  );
  assert.equal([after.passed, after.failed], [0, 1]);
  assertInOrder(after.output, [`"it"`, "why", "after the tests", "not removed"]);
  const only = run(`test.after(() => { throw new Error("not removed"); }); test("it", () => {});`);
  assert.equal([only.passed, only.failed], [1, 1]);
});

test("run-file.ts leaves assertions as uvu shows them", () => {
  const { output, failed } = run(`
    import * as assert from ${JSON.stringify(import.meta.resolve("uvu/assert"))};
    test("it", () => assert.equal({ a: 1 }, { a: 2 }));
  `);
  assert.is(failed, 1);
  assertInOrder(output, ["Expected values to be deeply equal", "--", "++", "x.test.ts:"]);
});

test.run();
