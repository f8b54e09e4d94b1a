import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Boot } from "./boot.ts";
import { GuestContext } from "./guest-context.ts";
import { KNOCK_MS, suspend, wake } from "./guest-sleep.ts";
import { LineRecorder } from "./line-recorder.ts";
import type { MachineHost } from "./machine-host.ts";

/** A machine whose kernel idles when it is asked to; `answersAt`: what the serial console has to bring it until it goes on. */
function idleMachine(answersAt: number) {
  const lines = new LineRecorder();
  const written: string[] = [];
  let seconds = 0;
  const end = new AbortController();
  const boot = {
    agent: {
      exec: () => {
        lines.push(Buffer.from("printk: Suspending console(s)\n"));
        return { result: new Promise(() => {}) };
      },
      ping: async () => {},
    },
    console: lines,
    // Each look takes a second, so the time of a test is over after a few.
    clock: () => ({ wallSeconds: (seconds += 1), starvedSeconds: 0 }),
    signal: end.signal,
    machine: {
      console: {
        write: (text: string) => {
          written.push(text);
          if (written.length === answersAt) lines.push(Buffer.from("PM: suspend exit\n"));
        },
      },
    },
  } as unknown as Boot;
  const host = { name: "machine", sleep: "idle", log: () => {}, current: () => boot } as unknown as MachineHost;
  return { context: new GuestContext(host, { seconds: 6 }), lines, written, end };
}

test("wake() knocks until an idle kernel goes on, and no longer", async () => {
  const { context, written } = idleMachine(2);
  await suspend(context);
  assert.equal(written, []);
  await wake(context);
  assert.equal(written, ["\n", "\n"]);
  await sleep(1.5 * KNOCK_MS);
  assert.equal(written, ["\n", "\n"]);
});

test("wake() knocks no longer than it waits", async () => {
  const { context, written } = idleMachine(Number.POSITIVE_INFINITY);
  await suspend(context);
  const error = await wake(context).catch((caught) => caught);
  assert.is(error.code, "command.timeout");
  assert.match(error.message, /^Cannot wake the system on "machine": not done after /);
  const { length } = written;
  assert.ok(length > 0);
  await sleep(2.5 * KNOCK_MS);
  assert.is(written.length, length);
});

test("wake() ends with the boot, and can be asked for anew after it was late", async () => {
  const { context, written, end } = idleMachine(Number.POSITIVE_INFINITY);
  await suspend(context);
  assert.is(await wake(context).catch((caught) => caught.code), "command.timeout");
  const waking = wake(context).catch((caught) => caught);
  const died = new Error("QEMU died");
  end.abort(died);
  assert.is(await waking, died);
  const { length } = written;
  await sleep(2.5 * KNOCK_MS);
  assert.is(written.length, length);
});

test.run();
