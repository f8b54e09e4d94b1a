import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../machine.ts";
import { ownQemus } from "../testing-qemus.ts";
import { failStory, passStory, proof } from "./testing-machine.ts";

const HERE = import.meta.filename;

proof(
  "a processor that is busy and a QEMU that is stopped use up no deadline, and a guest without an agent does",
  async () => {
    await passStory(HERE, async ({ machine }) => {
      await machine.start();
      await stopFor(machine, { seconds: 30, deadline: 10 });
    });
    const { error } = await failStory(HERE, async ({ machine }) => {
      await machine.start();
      machine.spawn`while :; do :; done`.result.catch(() => {});
      await machine.within(10).succeed`kill -STOP $PPID; sleep 60`; // here
    });
    assert.is(error.code, "agent.silent");
  },
);

/** Have a command wait for a QEMU that gets no processor for three times its deadline. */
async function stopFor(machine: Machine, { seconds, deadline }: { seconds: number; deadline: number }): Promise<void> {
  const [pid = 0] = ownQemus();
  const command = machine.within(deadline).succeed`sleep 0.5; echo on time`;
  process.kill(pid, "SIGSTOP");
  try {
    await sleep(seconds * 1000);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  assert.is(await command, "on time\n");
}

test.run();
