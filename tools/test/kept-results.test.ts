import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { KeptResults } from "./kept-results.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-kept-test-"));
test.after(() => rmSync(folder, { recursive: true }));

const file = "core/a.test.ts";
const PASSED = { passed: 3, failed: 0, skipped: 1, failures: [] };
let key = "one";
const open = (): KeptResults => new KeptResults({ folder, makeKey: () => key });

test("KeptResults find() knows what passed with all as it is, and nothing else", () => {
  open().keep([{ file, result: PASSED, seconds: 10 }]);
  assert.equal(open().find(file), { passed: 3, skipped: 1 });
  assert.is(open().find("core/b.test.ts"), undefined);
  key = "two";
  assert.is(open().find(file), undefined);
  key = "one";
  assert.equal(open().find(file), { passed: 3, skipped: 1 });
});

test("KeptResults keep() takes no failure, nothing that is quick, and nothing that was changed meanwhile", () => {
  key = "three";
  open().keep([{ file, result: { ...PASSED, failed: 1 }, seconds: 10 }]);
  open().keep([{ file, result: { ...PASSED, passed: 0 }, seconds: 10 }]);
  open().keep([{ file, result: PASSED, seconds: 9.9 }]);
  const changed = open();
  key = "four";
  changed.keep([{ file, result: PASSED, seconds: 10 }]);
  for (key of ["three", "four"]) assert.is(open().find(file), undefined);
});

test("KeptResults find() takes a damaged record for none", () => {
  key = "five";
  open().keep([{ file, result: PASSED, seconds: 10 }]);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), '{"key":');
  assert.is(open().find(file), undefined);
});

test("KeptResults keep() goes on where nothing can be kept", () => {
  const place = join(folder, "a-file");
  writeFileSync(place, "");
  const nowhere = new KeptResults({ folder: join(place, "cache"), makeKey: () => "six" });
  nowhere.keep([{ file, result: PASSED, seconds: 10 }]);
  assert.is(nowhere.find(file), undefined);
});

test("KeptResults tell sources apart", () => {
  const own = mkdtempSync(join(folder, "own-"));
  new KeptResults({ folder: own }).keep([{ file, result: PASSED, seconds: 10 }]);
  assert.equal(new KeptResults({ folder: own }).find(file), { passed: 3, skipped: 1 });
  process.env["FLOE_TEST_KILLS"] = "7";
  assert.is(new KeptResults({ folder: own }).find(file), undefined);
  delete process.env["FLOE_TEST_KILLS"];
});

test.run();
