import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type Architecture,
  chooseForking,
  CountingMachine,
  countFault,
  countingGuest,
  type Exchange,
  findForkLibrary,
  findProgram,
  makeRunDirectory,
  probeForking,
  saveState,
  VirtualMachine,
  type VirtualMachineShape,
} from "./index.ts";
import { HAS_QEMU, isSoWithin } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "qemu-forking-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const library = findForkLibrary() ?? "";
if (HAS_QEMU && library === "") console.log("skipped forks of QEMU: tools/setup.sh has compiled no library for them");
const withForks = HAS_QEMU && library !== "" ? test : test.skip;
const withQemu = HAS_QEMU ? test : test.skip;
const hasArm = findProgram("qemu-system-aarch64") !== undefined;
const PLATFORMS: readonly Architecture[] = hasArm ? ["x86_64", "aarch64"] : ["x86_64"];

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => assert.unreachable("it should have failed"),
    (error) => error,
  );
}

/** Whether a process is there and has not ended. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "ascii"));
  } catch {
    return false;
  }
}

/** Those that were forked from a QEMU and run. */
function copiesOf(parent: number): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "ascii").trim();
  return children === "" ? [] : children.split(" ").map(Number).filter(runs);
}

async function ends(pid: number): Promise<boolean> {
  for (let round = 0; round < 400 && runs(pid); round++) await sleep(50);
  return !runs(pid);
}

/** A guest that has counted and is stopped. */
async function openZygote(shape: Partial<VirtualMachineShape> = {}): Promise<CountingMachine> {
  const work = mkdtempSync(join(folder, "z-"));
  writeFileSync(join(work, "guest"), countingGuest("x86_64").bytes);
  const signal = AbortSignal.timeout(60_000);
  const zygote = await CountingMachine.start({
    ...{ architecture: "x86_64", accelerator: "tcg", folder: work, forkLibrary: library, signal },
    shape: { memoryFile: { file: join(work, "ram"), shared: false }, cpus: 2, ...shape },
  });
  await zygote.counted(2, signal);
  await zygote.machine.qmp.command("stop");
  await sleep(50);
  return zygote;
}

function fork(zygote: CountingMachine, exchanges: readonly Exchange[] = []): Promise<VirtualMachine> {
  return zygote.machine.fork({ folder: makeRunDirectory(folder).path, onConsole: () => {}, exchanges });
}

withForks("probeForking() finds that forks go on where a machine was, on each platform", async () => {
  for (const architecture of PLATFORMS) {
    const { usable, reason } = await probeForking({ architecture, library });
    assert.ok(usable, `${architecture}: ${reason}`);
  }
});

withQemu("probeForking() finds that a library which is none is not usable", async () => {
  const { usable, reason } = await probeForking({ architecture: "x86_64", library: join(folder, "no-library") });
  assert.is(usable, false);
  assert.match(reason, /the library for that does not run in it/);
});

withQemu("a QEMU that should be forkable and is not does not start: qemu.not-forkable", async () => {
  const run = makeRunDirectory(folder);
  const guest = join(folder, "guest");
  writeFileSync(guest, countingGuest("x86_64").bytes);
  const shape = { name: "m", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1 } as const;
  const start = VirtualMachine.start({
    shape: { ...shape, firmware: guest },
    folder: run.path,
    onConsole: () => {},
    forkLibrary: join(folder, "no-library"),
  });
  assert.is((await failure(start)).code, "qemu.not-forkable");
});

withForks("chooseForking() remembers, and says why not", async () => {
  const options = { architecture: "x86_64", accelerator: "tcg", cacheFile: join(folder, "verdict") } as const;
  // A probe that was too late says nothing about this QEMU, and is asked again.
  assert.is((await chooseForking({ ...options, library, deadlineMs: 1 })).library, undefined);
  assert.not.ok(existsSync(options.cacheFile));
  assert.is((await chooseForking({ ...options, library })).library, library);
  const kept = JSON.parse(readFileSync(options.cacheFile, "utf8")) as object;
  writeFileSync(options.cacheFile, JSON.stringify({ ...kept, usable: false, reason: "counts were lost" }));
  assert.equal(await chooseForking({ ...options, library }), { library: undefined, reason: "counts were lost" });
  const other = join(folder, "other-library");
  writeFileSync(other, "");
  assert.is((await chooseForking({ ...options, library: other })).library, undefined);
  assert.match((await chooseForking({ ...options, accelerator: "kvm" })).reason, "kvm translates nothing");
});

withForks("many forks count on, each for itself, and the one they come from at last", async () => {
  const signal = AbortSignal.timeout(60_000);
  const zygote = await openZygote();
  const before = zygote.text;
  const forks: CountingMachine[] = [];
  for (let round = 0; round < 4; round++) forks.push(...(await Promise.all([1, 2, 3].map(() => zygote.fork(signal)))));
  await Promise.all(forks.map(({ machine }) => machine.qmp.command("cont")));
  for (const each of forks) {
    await each.counted(3, signal);
    assert.is(countFault(before + each.text), undefined);
    assert.is((await each.machine.qmp.command("query-status")).running, true);
  }
  assert.is((await zygote.machine.qmp.command("query-status")).running, false);
  assert.is(zygote.text, before);
  const [first, second, third, ...rest] = forks.map(({ machine }) => machine) as [
    VirtualMachine,
    VirtualMachine,
    VirtualMachine,
    ...VirtualMachine[],
  ];
  assert.equal(await first.quit(), { status: 0, signal: undefined, words: "" });
  assert.is((await second.cutPower()).signal, "SIGKILL");
  // QEMU hears of this signal by a descriptor, and says so.
  process.kill(third.process.pid, "SIGTERM");
  const exit = await third.process.exited;
  assert.is(exit.status, 0);
  assert.match(exit.words, "terminating on signal 15");
  for (const { process } of [first, second, third]) assert.ok(await ends(process.pid));
  await zygote.machine.cutPower();
  for (const { process } of rest) {
    assert.is((await process.exited).signal, "SIGKILL");
    assert.ok(await ends(process.pid));
  }
  assert.is((await failure(zygote.fork(signal))).code, "qmp.closed");
});

withForks("forks end although the machine they come from hangs, and no more are made then", async () => {
  const zygote = await openZygote();
  const [killed, quits, left] = [await fork(zygote), await fork(zygote), await fork(zygote)];
  process.kill(zygote.machine.process.pid, "SIGSTOP");
  try {
    // By whom, once it is known that the other one hangs.
    assert.is((await killed.cutPower()).signal, "SIGKILL");
    await quits.quit();
    for (const { process } of [killed, quits]) assert.not.ok(runs(process.pid));
    assert.ok(runs(left.process.pid));
    const error = await failure(fork(zygote));
    assert.equal([error.code, error.message], ["qemu.not-forked", "Cannot fork QEMU: it does not answer"]);
    await left.cutPower();
    assert.ok(await ends(left.process.pid));
  } finally {
    await zygote.machine.cutPower();
  }
});

withForks("a fork that nobody waits for any more is given up at once, and ended when it comes", async () => {
  const zygote = await openZygote();
  const { pid } = zygote.machine.process;
  const over = new AbortController();
  // It hangs when it has answered, so that the fork itself is what is waited for.
  const stop = zygote.machine.qmp.onTraffic(({ to, message }) => {
    if (to === "qemu" || !("return" in message)) return;
    process.kill(pid, "SIGSTOP");
    setTimeout(() => over.abort(new Error("the run is over")), 50);
  });
  const unwanted = zygote.machine.fork({
    ...{ folder: makeRunDirectory(folder).path, onConsole: () => {}, exchanges: [], signal: over.signal },
  });
  assert.is((await failure(unwanted)).message, "the run is over");
  stop();
  process.kill(pid, "SIGCONT");
  const next = await fork(zygote);
  assert.ok(await isSoWithin(10_000, () => copiesOf(pid).every((copy) => copy === next.process.pid)));
  assert.equal(copiesOf(pid), [next.process.pid]);
  await zygote.machine.cutPower();
});

withForks("forks have disks of their own, and a disk that nobody named is qemu.not-forked", async () => {
  const disk = (name: string): string => {
    const file = join(folder, name);
    writeFileSync(file, Buffer.alloc(1 << 16));
    return file;
  };
  const [original, shared] = [disk("original"), disk("shared")];
  const zygote = await openZygote({
    disks: [
      { file: original, format: "raw" },
      { file: shared, format: "raw", readOnly: true },
    ],
  });
  const unnamed = await failure(fork(zygote));
  assert.is(unnamed.code, "qemu.not-forked");
  assert.match(unnamed.message, `"${original}", for which nothing was named`);
  const missing = await failure(fork(zygote, [[original, join(folder, "missing")]]));
  assert.is(missing.code, "qemu.not-forked");
  assert.match(missing.message, /missing\) cannot be made anew: No such file/);
  const files = [disk("one"), disk("two")];
  const forks = await Promise.all(files.map((file) => fork(zygote, [[original, file]])));
  for (const [index, machine] of forks.entries()) {
    // A machine whose state was written down has opened its disks anew.
    if (index === 1) {
      await saveState(machine.qmp, { file: join(folder, "state"), withoutMemory: false });
      await machine.qmp.command("cont");
    }
    const line = `qemu-io disk0 "write -P ${index + 1} 0 512"`;
    assert.match(await machine.qmp.command("human-monitor-command", { "command-line": line }), "");
    await machine.quit();
  }
  assert.equal(
    [original, ...files].map((file) => readFileSync(file)[511]),
    [0, 1, 2],
  );
  assert.is(statSync(shared).size, 1 << 16);
  await zygote.machine.cutPower();
});

withForks("forks of a machine whose files were named by way of a link have files of their own", async () => {
  const real = mkdtempSync(join(folder, "real-"));
  const link = `${real}-link`;
  symlinkSync(real, link);
  for (const name of ["original", "copy"]) writeFileSync(join(real, name), Buffer.alloc(1 << 16));
  const zygote = await openZygote({
    disks: [{ file: join(link, "original"), format: "raw" }],
    memoryFile: { file: join(link, "ram"), shared: false },
  });
  const machine = await fork(zygote, [[join(link, "original"), join(link, "copy")]]);
  await machine.qmp.command("human-monitor-command", { "command-line": 'qemu-io disk0 "write -P 1 0 512"' });
  await machine.quit();
  assert.equal(
    ["original", "copy"].map((name) => readFileSync(join(real, name))[511]),
    [0, 1],
  );
  await zygote.machine.cutPower();
});

withForks("a machine that runs, and one that was not started for it, are qemu.not-forked", async () => {
  const zygote = await openZygote();
  await zygote.machine.qmp.command("cont");
  const running = await failure(fork(zygote));
  assert.is(running.code, "qemu.not-forked");
  assert.match(running.message, "its machine is running");
  await zygote.machine.qmp.command("stop");
  const copy = await fork(zygote);
  const again = copy.fork({ folder: makeRunDirectory(folder).path, onConsole: () => {}, exchanges: [] });
  assert.match((await failure(again)).message, "it was not started for that");
  await zygote.machine.cutPower();
});

withForks("a fork's network card has the cable it was given", async () => {
  const listen = async (name: string): Promise<{ path: string; connected: Promise<Socket>; close(): void }> => {
    const path = join(makeRunDirectory(folder).path, name);
    const server = createServer();
    const connected = once(server, "connection").then(([socket]) => (socket as Socket).on("error", () => {}));
    server.listen(path);
    await once(server, "listening");
    return { path, connected, close: () => server.close() };
  };
  const [loose, own] = [await listen("loose"), await listen("own")];
  const nic = { id: "lan", mac: "52:54:00:00:00:01", backend: { kind: "stream", socket: loose.path } } as const;
  const zygote = await openZygote({ nics: [nic] });
  await loose.connected;
  const unnamed = await failure(fork(zygote));
  assert.match(unnamed.message, `a socket that leads to "${loose.path}", for which no other was named`);
  const machine = await fork(zygote, [[loose.path, own.path]]);
  const cable = await own.connected;
  await machine.quit();
  cable.destroy();
  await zygote.machine.cutPower();
  (await loose.connected).destroy();
  for (const each of [loose, own]) each.close();
});

withForks("a killed driver leaves no QEMU that was forked, and none from which others were", async () => {
  const work = mkdtempSync(join(folder, "killed-"));
  writeFileSync(join(work, "guest"), countingGuest("x86_64").bytes);
  const wrapper = new URL("./index.ts", import.meta.url).href;
  const options = { architecture: "x86_64", accelerator: "tcg", folder: work, forkLibrary: library, shape: {} };
  for (const how of ['process.kill(process.pid, "SIGKILL")', "process.exit(1)"]) {
    const program = `
      const { CountingMachine } = await import(${JSON.stringify(wrapper)});
      const signal = AbortSignal.timeout(60_000);
      const zygote = await CountingMachine.start({ ...${JSON.stringify(options)}, signal });
      await zygote.counted(1, signal);
      await zygote.machine.qmp.command("stop");
      const forks = [await zygote.fork(signal), await zygote.fork(signal)];
      await forks[0].machine.qmp.command("cont");
      console.log([zygote, ...forks].map(({ machine }) => machine.process.pid).join(" "));
      ${how};`;
    let printed = "";
    try {
      const stdio = ["ignore", "pipe", "inherit"] as const;
      execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", stdio: [...stdio] });
    } catch (error) {
      printed = (error as { stdout: string }).stdout;
    }
    const pids = printed.trim().split(" ").map(Number);
    assert.is(pids.length, 3, printed);
    for (const pid of pids) {
      const ended = await ends(pid);
      if (!ended) process.kill(pid, "SIGKILL");
      assert.ok(ended, `${how}: ${pids.indexOf(pid)} outlived its driver`);
    }
  }
});

test.run();
