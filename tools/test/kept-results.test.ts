import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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

test("KeptResults find() knows nothing of one thing from what another one passed", () => {
  key = "seven";
  const of = (subject: string): KeptResults => new KeptResults({ folder, subject, makeKey: () => key });
  of("x86_64-linux-all").keep([{ file, result: PASSED, seconds: 10 }]);
  assert.is(of("aarch64-linux-guest").find(file), undefined);
  of("aarch64-linux-guest").keep([{ file, result: { ...PASSED, passed: 1 }, seconds: 10 }]);
  assert.is(of("aarch64-linux-guest").find(file)?.passed, 1);
  assert.is(of("x86_64-linux-all").find(file)?.passed, 3);
  assert.is(open().find(file), undefined);
});

test("KeptResults keep() forgets what passed before when it fails, though all is as it was", () => {
  key = "eight";
  open().keep([{ file, result: PASSED, seconds: 10 }]);
  open().keep([{ file, result: { ...PASSED, failed: 1 }, seconds: 1 }]);
  assert.is(open().find(file), undefined);
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
  for (const name of ["FLOE_TEST_KILLS", "ONLY_CASE"]) {
    process.env[name] = "7";
    assert.is(new KeptResults({ folder: own }).find(file), undefined);
    delete process.env[name];
  }
});

test("KeptResults find() knows nothing of tests of the bundle from a run that left them out, though it has the same bytes", () => {
  const own = mkdtempSync(join(folder, "own-"));
  const of = (isBundled: boolean): KeptResults => new KeptResults({ folder: own, isBundled: () => isBundled });
  of(false).keep([{ file, result: PASSED, seconds: 10 }]);
  assert.equal(of(false).find(file), { passed: 3, skipped: 1 });
  assert.is(of(true).find(file), undefined);
});

test("KeptResults tell settings apart", () => {
  const own = mkdtempSync(join(folder, "own-"));
  const config = mkdtempSync(join(folder, "config-"));
  const before = process.env["XDG_CONFIG_HOME"];
  process.env["XDG_CONFIG_HOME"] = config;
  try {
    for (const name of ["floe/settings.json", "git/config"]) {
      new KeptResults({ folder: own }).keep([{ file, result: PASSED, seconds: 10 }]);
      assert.equal(new KeptResults({ folder: own }).find(file), { passed: 3, skipped: 1 });
      mkdirSync(dirname(join(config, name)));
      writeFileSync(join(config, name), "{}");
      assert.is(new KeptResults({ folder: own }).find(file), undefined, name);
    }
  } finally {
    if (before === undefined) delete process.env["XDG_CONFIG_HOME"];
    else process.env["XDG_CONFIG_HOME"] = before;
  }
});

test("KeptResults tell programs apart, and not what comes and goes beside them", () => {
  const own = mkdtempSync(join(folder, "own-"));
  const programs = mkdtempSync(join(folder, "programs-"));
  const before = process.env["PATH"];
  process.env["PATH"] = `${programs}:${before}`;
  try {
    writeFileSync(join(programs, "git"), "one");
    new KeptResults({ folder: own }).keep([{ file, result: PASSED, seconds: 10 }]);
    writeFileSync(join(programs, ".lock"), "");
    assert.is(new KeptResults({ folder: own }).find(file), undefined);
    rmSync(join(programs, ".lock"));
    assert.equal(new KeptResults({ folder: own }).find(file), { passed: 3, skipped: 1 });
    writeFileSync(join(programs, "git"), "another");
    assert.is(new KeptResults({ folder: own }).find(file), undefined);
  } finally {
    process.env["PATH"] = before;
  }
});

test.run();
