import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sourceFiles } from "../checks/source-tree.ts";
import { KEPT_FILES, KeptResults } from "./kept-results.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-kept-test-"));
test.after(() => rmSync(folder, { recursive: true }));

const [file = ""] = KEPT_FILES;
const PASSED = { passed: 3, failed: 0, skipped: 1, failures: [] };
let key = "one";
const open = (): KeptResults => new KeptResults({ folder, makeKey: () => key });

test("KeptResults find() knows what passed with all as it is, and nothing else", () => {
  open().keep(file, PASSED);
  assert.equal(open().find(file), { passed: 3, skipped: 1 });
  assert.is(open().find(KEPT_FILES[1] as string), undefined);
  key = "two";
  assert.is(open().find(file), undefined);
  key = "one";
  assert.equal(open().find(file), { passed: 3, skipped: 1 });
});

test("KeptResults keep() takes no failure, no other file, and nothing that was changed meanwhile", () => {
  key = "three";
  open().keep(file, { ...PASSED, failed: 1 });
  open().keep(file, { ...PASSED, passed: 0 });
  open().keep("core/base/hash.test.ts", PASSED);
  const changed = open();
  key = "four";
  changed.keep(file, PASSED);
  for (key of ["three", "four"])
    assert.equal([open().find(file), open().find("core/base/hash.test.ts")], [undefined, undefined]);
});

test("KeptResults find() takes a damaged record for none", () => {
  key = "five";
  open().keep(file, PASSED);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{"key":');
  assert.is(open().find(file), undefined);
});

test("KeptResults tell sources apart", () => {
  const own = mkdtempSync(join(folder, "own-"));
  new KeptResults({ folder: own }).keep(file, PASSED);
  assert.equal(new KeptResults({ folder: own }).find(file), { passed: 3, skipped: 1 });
  process.env["FLOE_TEST_KILLS"] = "7";
  assert.is(new KeptResults({ folder: own }).find(file), undefined);
  delete process.env["FLOE_TEST_KILLS"];
});

test("KEPT_FILES are test files of the house", () => {
  for (const one of KEPT_FILES) assert.ok(sourceFiles().includes(one), one);
});

test.run();
