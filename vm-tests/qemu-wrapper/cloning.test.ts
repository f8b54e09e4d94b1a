import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Architecture,
  checkMigratable,
  chooseCloningMethod,
  CLONING_METHODS,
  countFault,
  countingGuest,
  createOverlay,
  deleteSnapshot,
  findProgram,
  loadSnapshot,
  makeRunDirectory,
  probe,
  probeCloning,
  probeGuest,
  readCounts,
  restoreState,
  saveSnapshot,
  saveState,
  tinyGuestShape,
  VirtualMachine,
  type VirtualMachineShape,
} from "./index.ts";
import { HAS_QEMU } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "qemu-cloning-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const withQemu = HAS_QEMU ? test : test.skip;
const hasArm = findProgram("qemu-system-aarch64") !== undefined;
if (!hasArm) console.log("skipped guests of aarch64: qemu-system-aarch64 is not installed");

const PLATFORMS: readonly Architecture[] = hasArm ? ["x86_64", "aarch64"] : ["x86_64"];

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; hint?: string }> {
  return work.then(
    () => assert.unreachable("it should have failed"),
    (error) => error,
  );
}

withQemu("probe() runs the twin for aarch64, too", async () => {
  for (const architecture of PLATFORMS) assert.is((await probe({ accelerator: "tcg", architecture })).kind, "ran");
});

(hasArm ? withQemu : test.skip)("a copy turns itself off, though QEMU was given no kernel for it", async () => {
  const architecture = "aarch64";
  const run = makeRunDirectory(folder);
  const memory = join(run.path, "ram");
  const file = join(run.path, "state");
  const { bytes, exitStatus, ...guest } = probeGuest(architecture);
  writeFileSync(join(run.path, "guest"), bytes);
  const start = (shape: Partial<VirtualMachineShape>): Promise<VirtualMachine> =>
    VirtualMachine.start({
      shape: {
        ...{ name: "off", architecture, accelerator: "tcg" },
        ...tinyGuestShape({ ...guest, bytes }, join(run.path, "guest")),
        ...shape,
      },
      folder: makeRunDirectory(run.path).path,
      onConsole: () => {},
    });
  const original = await start({ paused: true, memoryFile: { file: memory, shared: true } });
  await saveState(original.qmp, { file, withoutMemory: true });
  await original.quit();
  rmSync(join(run.path, "guest"));
  const copy = await start({ incoming: true, memoryFile: { file: memory, shared: false } });
  await restoreState(copy, { file, withoutMemory: true });
  await copy.qmp.command("cont");
  assert.is((await copy.process.exited).status, exitStatus);
  run.remove();
});

withQemu(
  "probeCloning() finds that copies go on where a machine was frozen, with each method on each platform",
  async () => {
    for (const architecture of PLATFORMS)
      for (const method of CLONING_METHODS) {
        const { usable, reason } = await probeCloning({ architecture, accelerator: "tcg", method });
        assert.ok(usable, `${architecture}: ${reason}`);
      }
  },
);

withQemu("probeCloning() finds that a program that does not run machines is not usable", async () => {
  const program = join(folder, "no-qemu");
  writeFileSync(program, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const options = { architecture: "x86_64", accelerator: "tcg", qemu: program } as const;
  assert.is((await probeCloning({ ...options, method: "shared-memory" })).usable, false);
  const none = await chooseCloningMethod({ ...options, cacheFile: join(folder, "none") });
  assert.is(none.method, undefined);
  assert.match(none.reason, /shared-memory: .*whole-state: /);
});

withQemu("chooseCloningMethod() remembers, and falls to the next method", async () => {
  const options = { architecture: "x86_64", accelerator: "tcg", cacheFile: join(folder, "verdict") } as const;
  // A probe that was too late says nothing about this QEMU, and is asked again.
  assert.is((await chooseCloningMethod({ ...options, deadlineMs: 1 })).method, undefined);
  for (const method of CLONING_METHODS) assert.not.ok(existsSync(`${options.cacheFile}-${method}`));
  assert.is((await chooseCloningMethod(options)).method, "shared-memory");
  const kept = JSON.parse(readFileSync(`${options.cacheFile}-shared-memory`, "utf8")) as Record<string, unknown>;
  writeFileSync(
    `${options.cacheFile}-shared-memory`,
    JSON.stringify({ ...kept, usable: false, reason: "memory was lost" }),
  );
  const next = await chooseCloningMethod(options);
  assert.is(next.method, "whole-state");
  assert.match(next.reason, "shared-memory: memory was lost");
  assert.is((await chooseCloningMethod({ ...options, reprobe: true })).method, "shared-memory");
});

test("countFault() tells a count that begins anew, memory that was lost, and noise", () => {
  assert.equal(readCounts(".AAAB\n.AAAC\n!AAAD\n.AA"), [1, 2, "!AAAD"]);
  assert.is(countFault(".AAAB\n.AAAC\n"), undefined);
  assert.match(countFault(".AAAB\n.AAAC\n.AAAB\n") ?? "", "says 1 where it should have counted to 3");
  assert.match(countFault(".AAAB\n!AAAC\n") ?? "", '"!AAAC"');
});

test("checkMigratable() refuses a machine with a shared folder before it is started", () => {
  const shape = { name: "web", architecture: "x86_64", accelerator: "tcg", memoryMiB: 64, cpus: 1 } as const;
  checkMigratable(shape);
  assert.throws(
    () => checkMigratable({ ...shape, folders: [{ tag: "store", path: "/srv" }] }),
    (error: { code: string; message: string }) =>
      error.code === "qemu.not-migratable" && error.message.includes("/srv"),
  );
});

withQemu("a state with its memory fits machines with a memory file and without, on each platform", async () => {
  for (const architecture of PLATFORMS) {
    const run = makeRunDirectory();
    const guest = countingGuest(architecture);
    const file = join(folder, `fits-${architecture}`);
    const [memory, state] = [join(folder, `fits-ram-${architecture}`), join(folder, `fits-state-${architecture}`)];
    writeFileSync(file, guest.bytes);
    let text = "";
    const start = (more: object) =>
      VirtualMachine.start({
        shape: { name: "tiny", architecture, accelerator: "tcg", ...tinyGuestShape(guest, file), ...more },
        folder: run.path,
        onConsole: (data) => (text += data.toString("latin1")),
      });
    const lines = async (count: number): Promise<void> => {
      for (let round = 0; round < 500 && text.split("\n").length <= count; round++) await sleep(10);
    };
    const from = await start({ memoryFile: { file: memory, shared: false } });
    await lines(3);
    await saveState(from.qmp, { file: state, withoutMemory: false });
    await from.quit();
    const counted = readCounts(text).length;
    const to = await start({ incoming: true });
    await restoreState(to, { file: state, withoutMemory: false });
    await to.qmp.command("cont");
    await lines(counted + 3);
    await to.cutPower();
    assert.is(countFault(text), undefined);
    assert.ok(readCounts(text).length > counted);
    run.remove();
  }
});

/** A QEMU that a failed test leaves behind would keep this process from ending. */
const started: VirtualMachine[] = [];
test.after(async () => void (await Promise.all(started.map((machine) => machine.cutPower()))));

/** Machines that count, all of one shape. */
function tinyMachines(name: string) {
  const run = makeRunDirectory();
  const file = join(folder, `guest-${name}`);
  const guest = countingGuest("x86_64");
  writeFileSync(file, guest.bytes);
  const shape = { name: "tiny", architecture: "x86_64", accelerator: "tcg", ...tinyGuestShape(guest, file) } as const;
  const start = async (more: object) => {
    const machine = await VirtualMachine.start({ shape: { ...shape, ...more }, folder: run.path, onConsole: () => {} });
    started.push(machine);
    return machine;
  };
  return { run, start };
}

withQemu("saveState() and restoreState() say why they cannot", async () => {
  const { run, start } = tinyMachines("why");
  const running = await start({});
  const lost = await failure(saveState(running.qmp, { file: "/no/such/folder/state", withoutMemory: false }));
  assert.is(lost.code, "qemu.state-lost");
  await running.cutPower();
  const waiting = await start({ incoming: true });
  const state = join(folder, "broken-state");
  for (const [contents, why] of [
    [undefined, /no such file/],
    ["", /is empty/],
    ["no state of any machine, and long enough to be read", /./],
  ] as const) {
    if (contents !== undefined) writeFileSync(state, contents);
    const broken = await failure(restoreState(waiting, { file: state, withoutMemory: false }));
    assert.is(broken.code, "qemu.not-restored");
    assert.match(broken.message, why);
  }
  await waiting.cutPower();
  run.remove();
});

withQemu("saveState() says that the host has no room, however much of the state came before that", async () => {
  const { run, start } = tinyMachines("full");
  const machine = await start({});
  const full = await failure(saveState(machine.qmp, { file: "/dev/full", withoutMemory: false }));
  await machine.cutPower();
  assert.is(full.code, "qemu.state-lost");
  assert.match(full.message, "ENOSPC");
  assert.is(full.hint, 'Free some space on the file system of "/dev".');
  run.remove();
});

withQemu(
  "saveState() and restoreState() take no word of a QEMU that was killed for one about the machine",
  async () => {
    const { run, start } = tinyMachines("killed");
    // Nothing that it could leave out: what it has to send does not fit into its socket, so it has not ended before we read.
    const memory = join(folder, "killed-ram");
    writeFileSync(memory, randomBytes(KILLED_MIB << 20));
    // Before it has connected, and when it has begun to write.
    for (const instant of ["asked", "active"] as const) {
      const machine = await start({ memoryMiB: KILLED_MIB, memoryFile: { file: memory, shared: false } });
      machine.qmp.onTraffic(({ message }) => {
        if (isInstant(message, instant)) machine.process.kill();
      });
      const closed = await failure(saveState(machine.qmp, { file: join(folder, "killed"), withoutMemory: false }));
      await machine.cutPower();
      assert.is(closed.code, "qmp.closed", instant);
    }
    const state = join(folder, "killed-state");
    writeFileSync(state, "never read");
    const copy = await start({ incoming: true });
    copy.qmp.onTraffic(({ message }) => {
      if ("execute" in message && message.execute === "migrate-incoming") copy.process.kill();
    });
    const closed = await failure(restoreState(copy, { file: state, withoutMemory: false }));
    await copy.cutPower();
    assert.is(closed.code, "qmp.closed");
    run.remove();
  },
);

/** Memory of a machine that is killed. */
const KILLED_MIB = 32;

/** Whether a message is the command to migrate, or tells that QEMU does. */
function isInstant(message: object, instant: "asked" | "active"): boolean {
  if (instant === "asked") return "execute" in message && message.execute === "migrate";
  const { event, data } = message as { event?: string; data?: { status?: string } };
  return event === "MIGRATION" && data?.status === instant;
}

withQemu("saveSnapshot() and loadSnapshot() bring a machine back within one process", async () => {
  const run = makeRunDirectory();
  const file = join(folder, "guest");
  const base = join(folder, "disk.img");
  const disk = join(folder, "disk.qcow2");
  const guest = countingGuest("x86_64");
  writeFileSync(file, guest.bytes);
  writeFileSync(base, Buffer.alloc(1 << 20));
  createOverlay({ backing: base, file: disk });
  let text = "";
  const machine = await VirtualMachine.start({
    shape: {
      name: "tiny",
      architecture: "x86_64",
      accelerator: "tcg",
      ...tinyGuestShape(guest, file),
      disks: [{ file: disk, format: "qcow2" }],
      freeSlots: 1,
    },
    folder: run.path,
    onConsole: (data) => (text += data.toString()),
  });
  started.push(machine);
  const counts = (): number[] => readCounts(text).filter((count) => typeof count === "number");
  const last = (): number => counts().at(-1) ?? 0;
  /** Wait until it has counted that far, and maybe much further, as this process gets to look. */
  const counted = async (count: number): Promise<void> => {
    while (last() < count) await sleep(10);
  };
  // What QEMU wrote before it answered is on its way here: it comes with the next turn of the loop, or the one after that.
  const arrived = async (): Promise<void> => {
    for (let turn = 0; turn < 2; turn++) await sleep(1);
  };
  await counted(3);
  await saveSnapshot(machine.qmp, "first");
  await arrived();
  const saved = last();
  await counted(saved + 5);
  await machine.qmp.command("stop");
  await loadSnapshot(machine.qmp, "first");
  await arrived();
  const later = last();
  text = "";
  await machine.qmp.command("cont");
  await counted(1);
  // One number may have been written without the end of its line.
  const [again = 0] = counts();
  assert.ok(again <= saved + 2 && again < later, `${saved}, ${later}, ${again}`);
  await deleteSnapshot(machine.qmp, "first");
  assert.is((await failure(loadSnapshot(machine.qmp, "first"))).code, "qemu.no-snapshot");
  assert.is((await failure(saveSnapshot(machine.qmp, "a b"))).code, "qemu.no-snapshot");
  // A card that is plugged in, one whose slot is taken, and the link of the first.
  await machine.plugNic({ id: "lan", mac: "52:54:00:00:00:01", backend: { kind: "user", restricted: true } }, 0);
  const taken = machine.plugNic({ id: "wan", mac: "52:54:00:00:00:02", backend: { kind: "user" } }, 0);
  assert.is((await failure(taken)).code, "qmp.refused");
  await machine.setLink("lan", false);
  await machine.quit();
  run.remove();
});

withQemu("machines start with network cards of every kind", async () => {
  const run = makeRunDirectory();
  const file = join(folder, "guest");
  const guest = countingGuest("x86_64");
  writeFileSync(file, guest.bytes);
  const { createServer } = await import("node:net");
  const socket = join(run.path, "switch.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const machine = await VirtualMachine.start({
    shape: {
      name: "tiny",
      architecture: "x86_64",
      accelerator: "tcg",
      ...tinyGuestShape(guest, file),
      nics: [
        { id: "a", mac: "52:54:00:00:00:01", backend: { kind: "stream", socket } },
        {
          id: "b",
          mac: "52:54:00:00:00:02",
          backend: { kind: "cable", local: join(run.path, "b1"), remote: join(run.path, "b2") },
        },
        { id: "c", mac: "52:54:00:00:00:03", backend: { kind: "user", forwards: [{ hostPort: 0, guestPort: 80 }] } },
      ],
    },
    folder: run.path,
    onConsole: () => {},
  });
  const cards = await machine.qmp.command("human-monitor-command", { "command-line": "info network" });
  for (const id of ["a", "b", "c"]) assert.match(cards, new RegExp(`^ \\\\ ${id}: |^${id}-card: `, "m"));
  await machine.quit();
  server.close();
  run.remove();
});

test.run();
