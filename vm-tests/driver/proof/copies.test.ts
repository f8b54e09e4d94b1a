import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createOverlay, makeRunDirectory, probeCloning, CLONING_METHODS } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Boot } from "../boot.ts";
import { copyOf, freeze, type FrozenMachine } from "../frozen.ts";
import { passStory, proof, temporaryFolder, templates, theMachine } from "./testing-machine.ts";

const HERE = import.meta.filename;
const COPIES = 32;
/** As many run at once. */
const GROUP = 8;

/** What must differ between copies: numbers of the kernel, a machine id, the secret of a key that a service makes when it starts. */
const ASK = `cat /proc/sys/kernel/random/uuid
systemd-id128 new
head -c 32 /dev/urandom | base64`;

/** Copies that are not told that they are copies. */
const UNTOLD = 3;

/** Digest of everything a template is made of. */
function digestOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    // Its use is noted as the time of this one, and its memory is as large as the machine's.
    const file = join(folder, name);
    hash.update(`${name} ${statSync(file).size} ${statSync(file).blocks}\n`);
    if (statSync(file).blocks * 512 < 64 << 20) hash.update(readFileSync(file));
  }
  return hash.digest("hex");
}

proof(`${COPIES} copies answer with numbers of their own, the right time, and what they wrote themselves`, async () => {
  const names = Array.from({ length: GROUP }, (_, index) => `m${index}`);
  const machines = Object.fromEntries(names.map((name) => [name, theMachine()]));
  await passStory(HERE, async ({ machine }) => machine.start());
  const before = templates.list().map(({ key }) => digestOf(join(templates.folder, key)));
  const seen: string[][] = [];
  for (let group = 0; group < COPIES / GROUP; group++) {
    await passStory(
      HERE,
      async (tools) => {
        const all = names.map((name) => tools[name as "machine"]);
        await Promise.all(all.map((each) => each.start()));
        seen.push(
          ...(await Promise.all(all.map(async (each) => (await each.succeed`eval ${ASK}`).trim().split("\n")))),
        );
        if (group > 0) return;
        for (const each of all) {
          const asked = Date.now();
          const theirs = (await each.clock()).getTime();
          // What the question took on its way is no fault of the clock.
          assert.ok(
            theirs > asked - 100 && theirs < Date.now() + 100,
            `${theirs} is not between ${asked} and ${Date.now()}`,
          );
        }
        await Promise.all(all.map((each) => each.succeed`echo ${each.name} | tee /var/mark > /run/mark; sync`));
        const marks = await Promise.all(all.map((each) => each.succeed`cat /var/mark /run/mark`));
        assert.equal(
          marks,
          names.map((name) => `${name}\n${name}\n`),
        );
      },
      { machines },
    );
  }
  for (const which of [0, 1, 2])
    assert.is(new Set(seen.map((each) => each[which])).size, COPIES, `${ASK.split("\n")[which]}`);
  const after = templates.list().map(({ key }) => digestOf(join(templates.folder, key)));
  assert.equal(after.sort(), before.sort(), "copies have changed what they are copies of");
});

/** Copies of a machine that were not told that they are copies. */
async function openCopies(frozen: FrozenMachine, count: number): Promise<{ boot: Boot; end(): Promise<void> }[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const { folder, disks, ...rest } = shapeIn(temporaryFolder());
      const own = disks.map((disk, index) => {
        if (index > 0) return disk;
        const file = join(folder, "copy.qcow2");
        createOverlay({ backing: join(frozen.folder, "root.qcow2"), backingFormat: "qcow2", file });
        return { file, format: "qcow2" as const };
      });
      return open({ ...rest, folder, disks: own, copy: copyOf(frozen) });
    }),
  );
}

async function open(specification: Parameters<typeof Boot.start>[0]): Promise<{ boot: Boot; end(): Promise<void> }> {
  const sockets = makeRunDirectory();
  const boot = await Boot.start({ ...specification, socketFolder: sockets.path });
  return {
    boot,
    async end() {
      boot.expectEnd();
      boot.agent.close();
      await boot.machine.cutPower();
      sockets.remove();
    },
  };
}

/** The machine without the device that tells a guest that it was copied: what remains is what we do. */
function shapeIn(folder: string): Parameters<typeof Boot.start>[0] {
  const { architecture, memoryMiB, generations, rootImage, storeImage } = theMachine();
  const { kernel, initrd, kernelParameters } = generations.base;
  const root = join(folder, "root.qcow2");
  createOverlay({ backing: rootImage, file: root });
  const console = architecture === "x86_64" ? "ttyS0" : "ttyAMA0";
  return {
    name: "machine",
    architecture,
    accelerator: "tcg",
    memoryMiB,
    // Each processor has a stream of numbers of its own.
    cpus: 1,
    kernel: { image: kernel, initrd, commandLine: `${kernelParameters} console=${console},115200 panic=-1` },
    disks: [
      { file: root, format: "qcow2" },
      { file: storeImage, format: "raw", readOnly: true },
    ],
    withoutGenerationId: true,
    socketFolder: folder,
    folder,
    number: 1,
  };
}

proof("copies that nobody told so repeat each other, and do not once they are reseeded", async () => {
  const folder = temporaryFolder();
  const frozen: FrozenMachine = { folder, method: "whole-state" };
  const { boot, end } = await open(shapeIn(folder));
  await boot.waitForAgent(120);
  await boot.agent.exec(["systemctl", "is-system-running", "--wait"]).result;
  await boot.agent.exec(["bash", "-c", "sync; cat /proc/sys/kernel/random/uuid"]).result;
  // The kernel takes new numbers from time to time by itself: it shall have done so just now.
  await boot.agent.reseed(randomBytes(32));
  await freeze(boot, frozen);
  boot.expectEnd();
  await boot.machine.quit();
  await end();
  const copies = await openCopies(frozen, UNTOLD);
  try {
    // What is sent before the agent has answered may be lost.
    await Promise.all(copies.map(({ boot: copy }) => copy.waitForAgent(120)));
    const ask = async ({ boot: copy }: (typeof copies)[number]): Promise<string> =>
      (await copy.agent.exec(["cat", "/proc/sys/kernel/random/uuid"]).result).stdout.toString();
    const repeated = await Promise.all(copies.map(ask));
    assert.match(repeated[0] ?? "", /^[0-9a-f-]{36}\n$/);
    // What else asks for numbers meanwhile may put one of them ahead of the others.
    const distinct = new Set(repeated).size;
    assert.ok(distinct < UNTOLD, "copies differ without our help, so that this proves nothing of it");
    await Promise.all(copies.map(({ boot: copy }) => copy.agent.reseed(randomBytes(32))));
    assert.is(new Set(await Promise.all(copies.map(ask))).size, UNTOLD);
  } finally {
    for (const copy of copies) await copy.end();
  }
});

proof("each way of copying is found faithful on the machine's platform", async () => {
  const { architecture } = theMachine();
  for (const method of CLONING_METHODS) {
    const { usable, reason } = await probeCloning({ architecture, accelerator: "tcg", method });
    assert.ok(usable, `${method}: ${reason}`);
  }
});

test.run();
