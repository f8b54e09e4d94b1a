import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  chooseAccelerator,
  chooseForking,
  CLONING_METHODS,
  createOverlay,
  makeRunDirectory,
  probeCloning,
} from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Boot } from "../boot.ts";
import { copyDisk, copyOf, freeze, type FrozenMachine } from "../frozen.ts";
import { ownQemus } from "../testing-qemus.ts";
import { Zygotes } from "../zygotes.ts";
import {
  passStory,
  proof,
  runStory,
  type StoryRun,
  temporaryFolder,
  templates,
  theMachine,
  type Tools,
} from "./testing-machine.ts";

const HERE = import.meta.filename;
const COPIES = 32;
/** As many run at once. */
const GROUP = 8;

/** What must differ between copies: numbers of the kernel, a machine id, the secret of a key that a service makes when it starts. */
const ASK = `cat /proc/sys/kernel/random/uuid
systemd-id128 new
head -c 32 /dev/urandom | base64`;

/** Copies that are not told that they are copies, the numbers each is asked for in one go, and the instants at which they may begin. */
const UNTOLD = 3;
const WINDOW = 64;
const INSTANTS = 3;

/** A host key as a server of SSH makes one when it starts first, by OpenSSL in the guest, which has a generator of its own. It takes some seconds. */
const MAKE_KEY = `exec "$(sed -n 's/^exec \\([^ ]*\\) .*/\\1/p' "$(readlink -f "$(command -v floe)")")" -p '
  const key = require("node:crypto").generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x;
  const parts = ["ssh-ed25519", Buffer.from(key, "base64url")].map((part) => Buffer.from(part));
  const sized = parts.flatMap((part) => [Buffer.from([0, 0, 0, part.length]), part]);
  "ssh-ed25519 " + Buffer.concat(sized).toString("base64")'`;

/** The serial console, by its name in the guest. */
const CONSOLES = { x86_64: "ttyS0", aarch64: "ttyAMA0" } as const;

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

/** Let copies be asked in groups. @param zygotes Where they are forked from one another. */
async function askInGroups(zygotes?: Zygotes): Promise<void> {
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
        const keys = await Promise.all(all.map((each) => each.within(240).succeed`eval ${MAKE_KEY}`));
        for (const key of keys) assert.match(key, /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43}\n$/);
        assert.is(new Set(keys).size, GROUP, "copies have made the same host key");
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
      { machines, ...(zygotes === undefined ? {} : { zygotes }) },
    );
  }
  for (const which of [0, 1, 2])
    assert.is(new Set(seen.map((each) => each[which])).size, COPIES, `${ASK.split("\n")[which]}`);
  const after = templates.list().map(({ key }) => digestOf(join(templates.folder, key)));
  assert.equal(after.sort(), before.sort(), "copies have changed what they are copies of");
}

const WHAT = "answer with numbers of their own, the right time, and what they wrote themselves";

proof(`${COPIES} copies ${WHAT}`, () => askInGroups());

proof(`${COPIES} copies that are forked from one another ${WHAT}`, async () => {
  if (!(await canFork())) return;
  const zygotes = new Zygotes();
  try {
    await askInGroups(zygotes);
  } finally {
    await zygotes.close();
  }
  assert.equal(ownQemus(), []);
});

proof("a machine that cannot be forked is copied, and what was forked before goes on", async () => {
  if (!(await canFork())) return;
  const zygotes = new Zygotes();
  const ways = ({ events }: StoryRun): string[] =>
    events.flatMap((event) => (event.kind === "machine" && /^starts|forked/.test(event.text) ? [event.text] : []));
  const machines = { one: theMachine(), two: theMachine(), three: theMachine() };
  const start = async (tools: Tools): Promise<void> => {
    for (const name of ["one", "two", "three"]) await tools[name as "machine"].start();
  };
  try {
    const forked = await passStory(HERE, start, { machines, zygotes });
    assert.equal(ways(forked), Array(3).fill("starts as a fork of a copy"));
    const [zygote] = ownQemus();
    const spoilt = await passStory(
      HERE,
      async (tools) => {
        await tools["one" as "machine"].start();
        // Its number is that of a child of the one that others are forked from.
        assert.is(ownQemus(zygote).length, 1);
        await unsettle(zygotes);
        await tools["two" as "machine"].start();
        await tools["three" as "machine"].start();
        await tools["one" as "machine"].succeed`true`;
      },
      { machines, zygotes },
    );
    assert.equal(ways(spoilt), [
      "starts as a fork of a copy",
      "starts as a fork of a copy",
      "cannot be forked: Cannot fork QEMU: its machine is running",
      "starts as a copy of its first boot",
      "starts as a copy of its first boot",
    ]);
  } finally {
    await zygotes.close();
  }
  assert.equal(ownQemus(), []);
});

proof("a run that is interrupted ends the forks it has, and no run leaves what they were forked from", async () => {
  if (!(await canFork())) return;
  const zygotes = new Zygotes();
  const interrupt = new AbortController();
  const machines = { one: theMachine(), two: theMachine(), three: theMachine() };
  let zygote: number | undefined;
  let forks = 0;
  try {
    const { ok, error } = await runStory(
      HERE,
      async (tools) => {
        for (const name of ["one", "two", "three"]) await tools[name as "machine"].start();
        [zygote] = ownQemus();
        forks = ownQemus(zygote).length;
        interrupt.abort(new Error("Ctrl-C"));
        await tools["one" as "machine"].succeed`sleep infinity`;
      },
      { machines, zygotes, signal: interrupt.signal },
    );
    assert.is(ok, false);
    assert.match(error?.message ?? "", "Ctrl-C");
    assert.is(forks, 3);
    assert.equal(ownQemus(), [zygote]);
    assert.equal(ownQemus(zygote), []);
  } finally {
    await zygotes.close();
  }
  assert.equal(ownQemus(), []);
});

/** Let the machines run that others are forked from, which they may not. */
async function unsettle(zygotes: Zygotes): Promise<void> {
  for (const { key } of templates.list()) {
    const held = await zygotes.hold(key, 1, () => assert.unreachable("there is one, or none is made") as never);
    await held?.zygote.boot.machine.qmp.command("cont");
    held?.release();
  }
}

async function canFork(): Promise<boolean> {
  const { architecture } = theMachine();
  const { accelerator } = await chooseAccelerator({ architecture });
  const { library, reason } = await chooseForking({ architecture, accelerator });
  if (library === undefined) console.log(`skipped copies that are forked: ${reason}`);
  return library !== undefined;
}

/** A copy of a machine that was not told that it is one. */
async function openCopy(frozen: FrozenMachine): Promise<{ boot: Boot; end(): Promise<void> }> {
  const { folder, disks, ...rest } = shapeIn(temporaryFolder());
  const own = disks.map((disk, index) => {
    if (index > 0) return disk;
    const file = join(folder, "copy.qcow2");
    createOverlay({ backing: join(frozen.folder, "root.qcow2"), backingFormat: "qcow2", file });
    return { file, format: "qcow2" as const };
  });
  return open({ ...rest, folder, disks: own, copy: copyOf(frozen) });
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
  const console = CONSOLES[architecture];
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

/** Reads a window of the kernel's numbers in one go: bash alone does so, since each new process takes numbers of its own. */
const READ_WINDOW = `for ((i = 0; i < ${WINDOW}; i++)); do read -r u < /proc/sys/kernel/random/uuid; echo "$u"; done`;

/**
 * Stands ready to read a window when a line comes in on the serial console. Whoever asks by way of the agent has to wait for it, and the kernel takes new
 * entropy by itself every so many seconds, so that on a slow host nothing would be left to repeat.
 */
const STAND_READY = `setsid bash -c 'exec 3< /dev/'"$1"'; echo > /run/ready; read -r _ <&3; { ${READ_WINDOW}; } > /run/window.new; mv /run/window.new /run/window' \
  < /dev/null > /dev/null 2>&1 &
until [ -e /run/ready ]; do sleep 0.05; done`;

/** What a script of bash prints in the guest. */
async function ask({ agent }: Boot, script: string, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await agent.exec(["bash", "-c", script, "bash", ...words]).result;
  assert.is(status, 0, stderr.toString());
  return stdout.toString();
}

function numbersOf(window: string): ReadonlySet<string> {
  const numbers = window.split("\n").filter((line) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(line));
  assert.is(new Set(numbers).size, WINDOW, `that is no window of ${WINDOW} numbers: ${window}`);
  return new Set(numbers);
}

/** Pairs of windows that have a number in common. */
function countRepeats(windows: readonly ReadonlySet<string>[]): number {
  return windows
    .flatMap((one, index) => windows.slice(index + 1).map((other) => [one, other] as const))
    .filter(([one, other]) => !one.isDisjointFrom(other)).length;
}

/** The windows of copies as they woke up, and those after each had got random numbers of its own. One copy runs at a time. */
async function askCopies(frozen: FrozenMachine): Promise<Record<"woken" | "reseeded", readonly ReadonlySet<string>[]>> {
  const woken: ReadonlySet<string>[] = [];
  const reseeded: ReadonlySet<string>[] = [];
  for (let count = 0; count < UNTOLD; count++) {
    const { boot, end } = await openCopy(frozen);
    try {
      boot.machine.console.write("\n");
      await boot.waitForAgent(120);
      woken.push(numbersOf(await ask(boot, "until [ -e /run/window ]; do sleep 0.05; done; cat /run/window")));
      await boot.agent.reseed(randomBytes(32));
      reseeded.push(numbersOf(await ask(boot, READ_WINDOW)));
    } finally {
      await end();
    }
  }
  return { woken, reseeded };
}

proof("copies that nobody told so repeat each other, and do not once they are reseeded", async () => {
  const folder = temporaryFolder();
  const { boot, end } = await open(shapeIn(folder));
  await boot.waitForAgent(120);
  await ask(boot, "systemctl is-system-running --wait; sync");
  await ask(boot, STAND_READY, CONSOLES[theMachine().architecture]);
  let repeats = 0;
  // An instant may be just before that at which the kernel takes new entropy by itself; the next one is not.
  for (let instant = 1; instant <= INSTANTS && repeats === 0; instant++) {
    const frozen: FrozenMachine = { folder: join(folder, `${instant}`), method: "whole-state" };
    mkdirSync(frozen.folder);
    await freeze(boot, frozen);
    await copyDisk(join(folder, "root.qcow2"), join(frozen.folder, "root.qcow2"));
    const { woken, reseeded } = await askCopies(frozen);
    repeats = countRepeats(woken);
    assert.is(countRepeats(reseeded), 0, "copies with random numbers of their own repeat each other");
    // The machine itself goes on, and stands ready still.
    await boot.machine.qmp.command("cont");
  }
  await end();
  assert.ok(repeats > 0, "copies differ without our help, so that this proves nothing of it");
});

proof("each way of copying is found faithful on the machine's platform", async () => {
  const { architecture } = theMachine();
  for (const method of CLONING_METHODS) {
    const { usable, reason } = await probeCloning({ architecture, accelerator: "tcg", method });
    assert.ok(usable, `${method}: ${reason}`);
  }
});

test.run();
