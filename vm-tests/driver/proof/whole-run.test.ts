import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isSoWithin } from "../../qemu-wrapper/testing.ts";
import { AGENT_PORT } from "../boot.ts";
import { proofOfHost, temporaryFolder } from "./testing-machine.ts";

// The program itself, with a test that is a build: its QEMU runs in the sandbox, below processes of others than the one that was called.
const ROOT = join(import.meta.dirname, "../../..");
const PLATFORM = process.env["FLOE_PROOF_PLATFORM"];

/** Where these runs have what is temporary, and nobody else. */
const TEMPORARY = temporaryFolder();

/** What was started; a test that fails leaves none behind. */
const started: ChildProcess[] = [];
test.after(() => {
  for (const child of started) child.kill("SIGKILL");
});

/** How long a QEMU may live that nobody runs any more. */
const GONE_MS = 1000;

/** How long the record of a stopped machine may still grow. */
const RECORD_MS = 100;

interface FloeRun {
  readonly pid: number;
  readonly stderr: () => string;
  /** Its exit status, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** Run the story `boot`, whatever is known of it, with its records in a folder. */
function startRun(output: string): FloeRun {
  const platform = PLATFORM === undefined ? [] : ["--platform", PLATFORM];
  const words = ["vm-test", "run", "boot", "--rerun", "--output", output, "--junit", `${output}.xml`, ...platform];
  const child = spawn(join(ROOT, "tools/cli/floe"), words, {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: TEMPORARY },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = once(child, "close").then(([status, signal]) => (signal ?? status) as number | string);
  return { pid: child.pid ?? 0, stderr: () => said, ended };
}

/** The processes below one, at whatever depth. */
function processesBelow(ancestor: number): number[] {
  const parents = new Map<number, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = /^PPid:\s*(\d+)/m.exec(tryRead(`/proc/${pid}/status`))?.[1];
    if (parent !== undefined) parents.set(Number(pid), Number(parent));
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid) ?? 0;
    return parent === ancestor || (parent > 1 && isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

/** Whether a process is a QEMU that runs: one that is ending has no command line any more. */
function isQemu(pid: number): boolean {
  return /^[^\0]*qemu-system-/.test(tryRead(`/proc/${pid}/cmdline`));
}

/** Whether a process is the QEMU of a machine with an agent, which those are not that find out what this host can do. */
function isQemuOfMachine(pid: number): boolean {
  return isQemu(pid) && tryRead(`/proc/${pid}/cmdline`).includes(AGENT_PORT);
}

/** Send a signal. @returns whether there was a process to have it. */
function signalled(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

function tryRead(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}

/**
 * Wait until the guest of a run is on its way, and stop its QEMU there: it has hardly begun to boot, and its story cannot end before the test does
 * what it is for. Until then its QEMU runs only as long as a look takes to come again.
 *
 * @returns its QEMU.
 */
async function stoppedGuestOf(run: FloeRun, output: string): Promise<number> {
  let ended = false;
  void run.ended.then(() => (ended = true));
  const said = (): string =>
    readdirSync(output, { withFileTypes: true })
      .filter((each) => each.isDirectory())
      .map(({ name }) => tryRead(join(output, name, "machine/console.log")))
      .join("");
  for (;;) {
    assert.not.ok(ended, `it ended before its guest began:\n${run.stderr()}`);
    const qemu = processesBelow(run.pid).find(isQemuOfMachine);
    if (qemu !== undefined && signalled(qemu, "SIGSTOP")) {
      // What it had said before it stopped is on its way to the record.
      await sleep(RECORD_MS);
      if (said().includes("Linux version")) return qemu;
      signalled(qemu, "SIGCONT");
    }
    await sleep(50);
  }
}

proofOfHost("a run that is killed leaves no QEMU behind in the sandbox", async () => {
  const output = temporaryFolder();
  const run = startRun(output);
  const qemu = await stoppedGuestOf(run, output);
  process.kill(qemu, "SIGCONT");
  process.kill(run.pid, "SIGKILL");
  assert.ok(await isSoWithin(GONE_MS, () => !isQemu(qemu)), "its QEMU goes on");
  assert.is(await run.ended, "SIGKILL", run.stderr());
});

proofOfHost("a QEMU that dies in the sandbox is a fault of the host: the test runs again, and passes", async () => {
  const output = temporaryFolder();
  const run = startRun(output);
  const qemu = await stoppedGuestOf(run, output);
  process.kill(qemu, "SIGSEGV");
  process.kill(qemu, "SIGCONT");
  assert.is(await run.ended, 0, run.stderr());
  assert.match(run.stderr(), /^passed boot .*, attempt 2; attempt 1 was ended by the host: machine\.qemu-died\)$/m);
  assert.match(readFileSync(`${output}.xml`, "utf8"), /<flakyError message="[^"]*QEMU ended by itself \(SIGSEGV\)"/);
  assert.equal(readdirSync(TEMPORARY), [], "what the run that was killed left is there still");
});

test.run();
