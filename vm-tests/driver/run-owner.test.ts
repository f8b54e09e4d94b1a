import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { defaultRunFolder } from "./run-folder.ts";
import { ownDisks, removeDisks, sweepDefaultRuns, sweepRuns } from "./run-owner.ts";

const root = mkdtempSync(join(tmpdir(), "floe-run-owner-test-"));
test.after(() => rmSync(root, { recursive: true }));

/** The folder of a run with all that a machine may have. */
function makeRun(folder: string): string {
  const machine = join(folder, "machine");
  mkdirSync(join(machine, "checkpoints/1"), { recursive: true });
  mkdirSync(join(machine, "files"));
  for (const name of ["root.qcow2", "boot.qcow2", "recorded.img", "recorded.log", "disk-data.img", "console.log"])
    writeFileSync(join(machine, name), "x");
  writeFileSync(join(folder, "events.ndjson"), "");
  return folder;
}

/** Let another process own the disks of runs, and end without a word. */
function ownAndDie(...folders: string[]): void {
  const script = `const { ownDisks } = await import(${JSON.stringify(import.meta.resolve("./run-owner.ts"))});
    for (const folder of process.argv.slice(1)) ownDisks(folder);
    process.kill(process.pid, "SIGKILL");`;
  const words = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script, ...folders];
  assert.is(spawnSync(process.execPath, words).signal, "SIGKILL");
}

const leftIn = (folder: string): string[] => readdirSync(join(folder, "machine")).sort();
const RECORDS = ["console.log", "files"];

test("sweepRuns() removes the disks of runs that were killed, and no records, no disks of others", () => {
  const parent = join(root, "runs");
  const [killed, running, kept] = ["killed", "running", "kept"].map((name) => makeRun(join(parent, name))) as [
    string,
    string,
    string,
  ];
  const elsewhere = makeRun(join(root, "elsewhere"));
  ownAndDie(killed, elsewhere);
  ownDisks(running);
  symlinkSync(elsewhere, join(parent, "link"));
  sweepRuns(parent);
  assert.equal(leftIn(killed), RECORDS);
  assert.equal(readdirSync(killed).sort(), ["events.ndjson", "machine"]);
  for (const folder of [running, kept, elsewhere]) assert.is(leftIn(folder).length, 8, folder);
  sweepRuns(join(root, "nowhere"));
});

test("removeDisks() leaves the records", () => {
  const folder = makeRun(join(root, "ended"));
  ownDisks(folder);
  removeDisks(folder);
  assert.equal(leftIn(folder), RECORDS);
  assert.equal(readdirSync(folder).sort(), ["events.ndjson", "machine"]);
});

test("sweepDefaultRuns() looks at all tests", () => {
  const environment = { XDG_STATE_HOME: join(root, "state") };
  const folders = ["one", "two"].map((name) => makeRun(defaultRunFolder(name, new Date(0), environment)));
  ownAndDie(...folders);
  writeFileSync(join(dirname(dirname(folders[0] ?? "")), "a file"), "");
  sweepDefaultRuns(environment);
  assert.equal(folders.map(leftIn), [RECORDS, RECORDS]);
});

test.run();
