import { spawn } from "node:child_process";
import { once } from "node:events";
import { readCpuSeconds } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { comeToRest } from "./come-to-rest.ts";
import { qemuClock } from "./deadline.ts";

// Any process does for a QEMU here: what is looked at is its use of the processor.
const BUSY_THEN_IDLE = `
const end = Date.now() + 1500;
process.stdout.write("begins");
while (Date.now() < end);
process.stdout.write("rests");
setInterval(() => {}, 1e6);
`;

test("comeToRest() waits until a process that works has stopped to", async () => {
  const child = spawn(process.execPath, ["-e", BUSY_THEN_IDLE], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let said = "";
    child.stdout.on("data", (data: Buffer) => (said += data));
    await once(child.stdout, "data");
    const pid = child.pid ?? 0;
    const tells = readCpuSeconds(pid) !== undefined;
    await comeToRest(pid, qemuClock(pid), new AbortController().signal);
    if (tells) assert.match(said, "rests");
  } finally {
    child.kill("SIGKILL");
  }
});

test("comeToRest() ends with the reason for which a machine cannot go on", async () => {
  const ended = new AbortController();
  const reason = new Error("it panicked");
  const { pid } = process;
  const rest = comeToRest(pid, qemuClock(pid), ended.signal);
  ended.abort(reason);
  assert.is(await rest.catch((error: unknown) => error), reason);
});

test.run();
