import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sweepScratch } from "../../../../core/host/files/index.ts";
import { makeRunDirectory } from "../../../../vm-tests/qemu-wrapper/index.ts";
import { HAS_QEMU, isSoWithin } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeStories } from "./testing-stories.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = temporaryDirectory();
const flake = join(directory, "flake");
const store = join(directory, "store");
/** Where these runs have what is temporary, and nobody else; its path is short enough for sockets. */
const temporary = join(directory, "tmp");
mkdirSync(temporary);
const env = {
  XDG_CACHE_HOME: join(directory, "cache"),
  XDG_STATE_HOME: join(directory, "state"),
  GITHUB_ACTIONS: undefined,
  TMPDIR: temporary,
};

writeStories(flake, { endless: `await step("the machine boots", () => machine.start());` });

const DIRECT = ["vm-test", "run", "--direct", "--accel", "tcg", "--store", store];

function floe(...words: string[]) {
  return runFloe(words, { cwd: flake, env });
}

/** Process ids of QEMUs whose sockets or disks are of a run that keeps its records in a folder. */
function qemusOf(text: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words[0]?.includes("qemu-system") === true && words.some((word) => word.includes(text));
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Begin the test whose machine never answers. */
function begin(output: string, ...more: string[]) {
  const words = [...floeCommand(), ...DIRECT, "endless", "--output", output, ...more];
  const child = spawn(process.execPath, words, {
    cwd: flake,
    env: { ...process.env, ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  return { child, ended, said: () => said };
}

/** Begin it, and wait until its QEMU runs. */
async function startEndless(output: string, ...more: string[]) {
  const run = begin(output, ...more);
  for (let waited = 0; qemusOf(output).length === 0; waited += 50) {
    assert.ok(waited < 60_000, `no QEMU was started:\n${run.said()}`);
    await sleep(50);
  }
  return run;
}

/** Where records go by default. */
const KILLED = join(directory, "state/floe/vm-tests/killed");
const ROOT_DISK = "endless/machine/root.qcow2";

withQemu("a driver that is killed takes its QEMU along within a second", async () => {
  const { child, ended } = await startEndless(KILLED);
  child.kill("SIGKILL");
  await ended;
  assert.ok(await isSoWithin(1000, () => qemusOf(KILLED).length === 0), "its QEMU goes on");
  assert.ok(existsSync(join(KILLED, ROOT_DISK)));
  const told = await floe("vm-test", "report", KILLED, "--json");
  assert.is(JSON.parse(told.stdout)[0].outcome, "lost");
});

withQemu("Ctrl-C leaves no QEMU behind, and calls the test neither passed nor failed", async () => {
  const output = join(directory, "interrupted");
  const { child, ended } = await startEndless(output, "--retry", "3");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.kill("SIGINT");
  assert.is(await ended, 130);
  assert.equal(qemusOf(output), []);
  assert.is(said, "");
  assert.not.ok(existsSync(`${output}/endless~2`));
  for (const folder of [output, KILLED]) {
    assert.not.ok(
      existsSync(join(folder, ROOT_DISK)),
      "neither a run that is ended keeps its disks, nor one that was killed before",
    );
    assert.ok(existsSync(join(folder, "endless/events.ndjson")));
  }
});

/** How many runs are ended, and by what in turn. */
const RUNS = 9;
const SIGNALS = ["SIGKILL", "SIGINT", "SIGTERM"] as const;

withQemu("a run that is ended at any instant leaves no QEMU, and nothing temporary that nobody removes", async () => {
  const since = performance.now();
  const first = await startEndless(join(directory, "instant"));
  first.child.kill("SIGKILL");
  await first.ended;
  const untilQemuMs = performance.now() - since;
  for (let count = 0; count < RUNS; count++) {
    const output = join(directory, `instant-${count}`);
    const signal = SIGNALS[count % SIGNALS.length] ?? "SIGKILL";
    // From before anything is loaded to some time after QEMU runs.
    const afterMs = Math.random() * untilQemuMs * 1.4;
    const before = readdirSync(temporary);
    const run = begin(output);
    await sleep(afterMs);
    run.child.kill(signal);
    await run.ended;
    const what = `${signal} after ${Math.round(afterMs)} of ${Math.round(untilQemuMs)} ms\n${run.said()}`;
    // How soon is asked above; here, that none is forgotten.
    for (let waited = 0; qemusOf(output).length > 0; waited += 20) {
      assert.ok(signal === "SIGKILL" && waited < 10_000, `its QEMU goes on: ${what}`);
      await sleep(20);
    }
    // Who is killed can remove nothing; the next one does so.
    const added = readdirSync(temporary).filter((name) => !before.includes(name));
    if (signal !== "SIGKILL") assert.equal(added, [], what);
  }
  process.env["TMPDIR"] = temporary;
  sweepScratch();
  makeRunDirectory(temporary).remove();
  assert.equal(readdirSync(temporary).filter(isLeft), []);
});

/** Whether something temporary is nobody's. A folder for sockets whose maker was killed before it said whose it is is empty, and goes within the hour. */
function isLeft(name: string): boolean {
  return !name.startsWith("floe-vm-") || readdirSync(join(temporary, name)).length > 0;
}

test.run();
