import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../machine.ts";
import { failStory, passStory, proof, temporaryFolder } from "./testing-machine.ts";
import { ownQemus } from "../testing-qemus.ts";

const HERE = import.meta.filename;
const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "",
    (error) => error.code,
  );
}

proof("64 MiB come through in both directions as they were", async () => {
  const folder = temporaryFolder();
  await passStory(HERE, async ({ machine }) => {
    await machine.start();
    const data = randomBytes(64 << 20);
    writeFileSync(join(folder, "much"), data);
    const patient = machine.within(600);
    await patient.copyTo(join(folder, "much"), "/run/much");
    assert.is((await patient.succeed`sha256sum /run/much`).slice(0, 64), digest(data));
    assert.is(digest(readFileSync(await patient.copyFrom("/run/much"))), digest(data));
  });
});

proof("50 commands at once, bytes that are no text, and children that stay", async () => {
  await passStory(HERE, async ({ machine }) => {
    await machine.start();
    const all = await Promise.all(
      Array.from(
        { length: 50 },
        (_, index) => machine.execute`sleep 0.2; echo ${index}; echo ${index} >&2; exit ${index}`,
      ),
    );
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    for (const read of [
      (each: (typeof all)[number]) => Number(each.stdout),
      (each: (typeof all)[number]) => Number(each.stderr),
      (each: (typeof all)[number]) => each.status,
    ])
      assert.equal(all.map(read), numbers);
    await machine.succeed`for i in $(seq 0 255); do printf "\\x$(printf %x $i)"; done > /run/bytes`;
    const bytes = readFileSync(await machine.copyFrom("/run/bytes"));
    assert.equal(
      [...bytes],
      Array.from({ length: 256 }, (_, index) => index),
    );
    const begin = performance.now();
    assert.is(await machine.succeed`(sleep 300; echo late) & echo at once`, "at once\n");
    assert.ok(performance.now() - begin < 100_000, "it waited for what the command left behind");
  });
});

proof("an agent that is started anew goes on with its host", async () => {
  await passStory(HERE, async ({ machine }) => {
    await machine.start();
    assert.is(await codeOf(machine.execute`systemctl restart floe-agent; sleep 60`), "agent.restarted");
    assert.is(await machine.succeed`echo again`, "again\n");
  });
});

proof(
  "a processor that is busy and a QEMU that is stopped use up no deadline, and a guest without an agent does",
  async () => {
    await passStory(HERE, async ({ machine }) => {
      await machine.start();
      await stopFor(machine, { seconds: 9, deadline: 3 });
    });
    const { error } = await failStory(HERE, async ({ machine }) => {
      await machine.start();
      machine.spawn`while :; do :; done`.result.catch(() => {});
      machine.spawn`while :; do :; done`.result.catch(() => {});
      await machine.within(2).succeed`kill -STOP $PPID; sleep 60`; // here
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
