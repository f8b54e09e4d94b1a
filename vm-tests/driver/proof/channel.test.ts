import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createOverlay, makeArguments, QemuProcess, qemuProgram } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { AgentClient } from "../agent-client.ts";
import { AGENT_PORT } from "../boot.ts";
import { Deadline, qemuClock } from "../deadline.ts";
import { passStory, proof, temporaryFolder, theMachine } from "./testing-machine.ts";

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

proof("a host that connects late, and one that leaves and comes back, are served", async () => {
  const { architecture, memoryMiB, generations, rootImage, storeImage } = theMachine();
  const { kernel, initrd, kernelParameters } = generations.base;
  const folder = temporaryFolder();
  const [root, port, said] = ["root.qcow2", "port", "console"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  createOverlay({ backing: rootImage, file: root });
  const serial = architecture === "x86_64" ? "ttyS0" : "ttyAMA0";
  let console = "";
  const server = createServer((socket) => {
    socket.setEncoding("latin1").on("data", (text: string) => (console += text));
    socket.on("error", () => {});
  }).listen(said);
  const args = makeArguments({
    ...{ name: "late", architecture, accelerator: "tcg", memoryMiB, cpus: 2 },
    kernel: { image: kernel, initrd, commandLine: `${kernelParameters} console=${serial},115200 panic=-1` },
    disks: [
      { file: root, format: "qcow2" },
      { file: storeImage, format: "raw", readOnly: true },
    ],
    console: said,
    ports: [{ name: AGENT_PORT, socket: port }],
  });
  // QEMU listens, and its guest begins whether somebody comes or not.
  const late = args.map((word) =>
    word.includes(`path=${port},`) ? word.replace("server=off", "server=on,wait=off") : word,
  );
  const qemu = await QemuProcess.start(qemuProgram(architecture), late);
  try {
    const deadline = new Deadline(120, qemuClock(qemu.pid));
    while (!/Reached target .*Multi-User/.test(console)) {
      assert.ok(!deadline.expired, `the machine does not boot:\n${console}`);
      assert.is(qemu.exit, undefined);
      await sleep(100);
    }
    for (const epoch of [1, 2]) {
      const socket = connect(port);
      const agent = new AgentClient(socket, epoch);
      assert.match((await agent.hello).version, /./);
      const { stdout } = await agent.exec(["bash", "-c", 'echo "$0"', `host ${epoch}`]).result;
      assert.is(stdout.toString(), `host ${epoch}\n`);
      agent.close();
      socket.destroy();
      await once(socket, "close");
    }
  } finally {
    qemu.kill();
    await qemu.exited;
    server.close();
  }
});

test.run();
