import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeScratch, makeScratchIn, sweepScratch } from "./index.ts";

const before = process.env["TMPDIR"];
// Not by the name that is swept: other processes sweep, too.
const directory = mkdtempSync(join(tmpdir(), "floe-test-scratch-"));
process.env["TMPDIR"] = directory;
test.after(() => {
  rmSync(directory, { recursive: true });
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
});

/** A process that has a folder with something in it, and where that is. It lives until it is told to end, or killed. */
async function startOwner(
  make = 'makeScratch("held")',
): Promise<{ child: ChildProcess; place: string; ended: Promise<unknown> }> {
  const code = `const { makeScratch, makeScratchIn } = await import(${JSON.stringify(import.meta.resolve("./index.ts"))});
    const { mkdirSync, writeFileSync } = await import("node:fs");
    const place = ${make};
    writeFileSync(place + "/file", "x");
    mkdirSync(place + "/closed", { mode: 0o500 });
    console.log(place);
    process.stdin.once("end", () => process.exit(0)).resume();`;
  const words = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code];
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const place = await new Promise<string>((resolve) =>
    child.stdout.setEncoding("utf8").once("data", (text: string) => resolve(text.trim())),
  );
  return { child, place, ended };
}

/** Sweep another directory of temporary files. */
function sweepIn(place: string): void {
  process.env["TMPDIR"] = place;
  try {
    sweepScratch();
  } finally {
    process.env["TMPDIR"] = directory;
  }
}

test("makeScratch() makes folders in one that is gone when the process ends", async () => {
  const one = makeScratch("one");
  const other = makeScratch("one");
  assert.is.not(one, other);
  assert.is(dirname(one), dirname(other));
  assert.match(basename(one), /^one-\w{6}$/);
  const { child, place, ended } = await startOwner();
  assert.ok(existsSync(place));
  child.stdin?.end();
  await ended;
  assert.not.ok(existsSync(dirname(place)));
});

test("makeScratch() goes on when somebody cleared the directory of temporary files", () => {
  const one = makeScratch("one");
  rmSync(dirname(one), { recursive: true });
  assert.ok(existsSync(makeScratch("one")));
});

test("files.no-scratch: where nothing can be locked makeScratch() gives up, and fills no disk with folders", () => {
  const place = mkdtempSync(join(directory, "unlockable-"));
  const code = `const { makeScratch } = await import(${JSON.stringify(import.meta.resolve("./index.ts"))});
    const { openSync } = await import("node:fs");
    process.getBuiltinModule("node:sqlite");
    try { for (;;) openSync("/dev/null", "r"); } catch {}
    let code;
    try { makeScratch("x"); } catch (error) { code = error.code; }
    process.exit(code === "files.no-scratch" ? 33 : 1);`;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", code];
  const words = ["-c", 'ulimit -n 200; exec "$@"', "sh", ...node];
  const { status } = spawnSync("sh", words, { env: { ...process.env, TMPDIR: place }, stdio: "ignore" });
  assert.is(status, 33);
  sweepIn(place);
  assert.equal(readdirSync(place), []);
});

test("sweepScratch() removes what a killed process left, and nothing of one that lives", async () => {
  const own = makeScratch("own");
  const [killed, living] = await Promise.all([startOwner(), startOwner()]);
  sweepScratch();
  assert.equal([killed.place, living.place, own].map(existsSync), [true, true, true]);
  killed.child.kill("SIGKILL");
  await killed.ended;
  sweepScratch();
  assert.equal([dirname(killed.place), living.place, own].map(existsSync), [false, true, true]);
  living.child.kill("SIGKILL");
  await living.ended;
});

test("sweepScratch() lets be what it did not make: links, files, folders of other users and other names", () => {
  const elsewhere = mkdtempSync(join(directory, "elsewhere-"));
  writeFileSync(join(elsewhere, "kept"), "");
  symlinkSync(elsewhere, join(directory, ".floe-scratch-link"));
  writeFileSync(join(directory, ".floe-scratch-file"), "");
  const names = ["elsewhere", ".floe-scratch-link", ".floe-scratch-file"];
  if (process.geteuid?.() === 0) {
    mkdirSync(join(directory, ".floe-scratch-theirs"));
    chownSync(join(directory, ".floe-scratch-theirs"), 12_345, 12_345);
    names.push(".floe-scratch-theirs");
  }
  sweepScratch();
  const found = readdirSync(directory);
  for (const name of names)
    assert.ok(
      found.some((one) => one.startsWith(name)),
      name,
    );
  assert.equal(readdirSync(elsewhere), ["kept"]);
});

test("makeScratchIn() makes a folder beside what is made in it, and removes what a killed process left there", async () => {
  const beside = mkdtempSync(join(directory, "beside-"));
  const make = `makeScratchIn(${JSON.stringify(beside)}).path`;
  const [killed, living] = await Promise.all([startOwner(make), startOwner(make)]);
  killed.child.kill("SIGKILL");
  await killed.ended;
  {
    using scratch = makeScratchIn(beside);
    assert.equal([killed.place, living.place, scratch.path].map(existsSync), [false, true, true]);
    assert.is(dirname(scratch.path), beside);
    writeFileSync(join(scratch.path, "made"), "");
    renameSync(join(scratch.path, "made"), join(beside, "made"));
    writeFileSync(join(scratch.path, "not wanted"), "");
  }
  living.child.stdin?.end();
  await living.ended;
  assert.equal(readdirSync(beside), ["made"]);
});

test("sweepScratch() finds nothing where there is no directory of temporary files", () => {
  sweepIn(join(directory, "nowhere"));
});

test("sweepScratch() removes the folder of a process that was killed before it had its lock", () => {
  mkdirSync(join(directory, ".floe-scratch-unborn"));
  sweepScratch();
  assert.not.ok(existsSync(join(directory, ".floe-scratch-unborn")));
});

test.run();
