import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  chooseAccelerator,
  findProgram,
  getProgram,
  longModeRom,
  makeRunDirectory,
  probe,
  QemuProcess,
  readCpuSeconds,
  rejectKvm,
  serialTextRom,
  spinningRom,
  VirtualMachine,
  withAbort,
} from "./index.ts";
import { HAS_QEMU } from "./testing.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const folder = mkdtempSync(join(tmpdir(), "floe-qemu-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const tiny = { name: "tiny", architecture: "x86_64", accelerator: "tcg", memoryMiB: 16, cpus: 1 } as const;

const spinning = { architecture: "x86_64", as: "firmware", bytes: spinningRom() } as const;

async function failure(
  work: Promise<unknown>,
): Promise<{ code: string; message: string; hint?: string; details?: string[] }> {
  return work.then(
    () => assert.unreachable("it should have failed"),
    (error) => error,
  );
}

test("longModeRom() starts with the code and ends with the jump to it", () => {
  const rom = longModeRom();
  assert.is(rom.length, 65536);
  assert.equal([...rom.subarray(0, 4)], [0xfa, 0xfc, 0x31, 0xc0]);
  assert.equal([...rom.subarray(-16, -11)], [0xea, 0, 0, 0, 0xf0]);
});

test("getProgram() says what to install", () => {
  assert.throws(
    () => getProgram("qemu-system-x86_64", folder),
    (error: { code: string; hint: string }) =>
      error.code === "qemu.missing" && error.hint.includes("apt-get install qemu-system-x86"),
  );
});

test("QemuProcess.start() of a program that is not there is qemu.missing or qemu.not-started", async () => {
  assert.is((await failure(QemuProcess.start("qemu-system-nothing", []))).code, "qemu.missing");
});

test("withAbort() has the signal's reason, and what fails later is nobody's to hear", async () => {
  let fail: (error: Error) => void = () => {};
  const late = new Promise<never>((_resolve, reject) => (fail = reject));
  const unheard: unknown[] = [];
  const hear = (reason: unknown): void => void unheard.push(reason);
  process.on("unhandledRejection", hear);
  const over = new Error("it is over");
  assert.is(await failure(withAbort(late, AbortSignal.abort(over))), over);
  fail(new Error("QEMU has gone"));
  await sleep(0);
  process.off("unhandledRejection", hear);
  assert.equal(unheard, []);
});

test("makeRunDirectory() keeps socket paths short", () => {
  const run = makeRunDirectory("/a/very/long/path/that/would/not/leave/room/for/the/name/of/a/socket/at/all");
  assert.ok(run.path.startsWith("/tmp/"));
  assert.is(statSync(run.path).mode & 0o777, 0o700);
  run.remove();
});

withQemu("probe() passes in TCG, and calls a guest that spins a timeout", async () => {
  // By its processor time, which a busy host does not use up.
  const ran = await probe({ accelerator: "tcg", deadlineMs: 60_000 });
  assert.is(ran.kind, "ran");
  const spins = await probe({ accelerator: "tcg", guest: spinning, deadlineMs: 1000, cpuSeconds: 0.2 });
  assert.is(spins.kind, "timeout");
});

withQemu("chooseAccelerator() refuses what is no KVM device, remembers verdicts, and explains itself", async () => {
  const fake = join(folder, "kvm");
  writeFileSync(fake, "");
  const cacheFile = join(folder, "verdict.json");
  const choice = await chooseAccelerator({ device: fake, cacheFile });
  assert.is(choice.accelerator, "tcg");
  assert.match(choice.reason, "is not a device");
  assert.match(readFileSync(cacheFile, "utf8"), '"usable":false');
  const absent = join(folder, "nothing");
  assert.match((await chooseAccelerator({ device: absent, cacheFile })).reason, `there is no ${absent}`);
  assert.is((await failure(chooseAccelerator({ wanted: "kvm", device: fake, cacheFile }))).code, "qemu.no-kvm");
  rejectKvm("its guest said nothing", { device: fake, cacheFile });
  assert.match((await chooseAccelerator({ device: fake, cacheFile })).reason, "its guest said nothing");
  const again = await chooseAccelerator({ device: fake, cacheFile, reprobe: true });
  assert.is(again.source, "probe");
  assert.match(again.reason, "is not a device");
  assert.is((await chooseAccelerator({ device: fake, cacheFile })).source, "cache");
});

withQemu("chooseAccelerator() probes HVF on macOS, and translates guests of another architecture", async () => {
  const cacheFile = join(folder, "verdict-mac.json");
  const mac = { platform: "darwin", architecture: "x86_64" } as const;
  // QEMU for Linux has no HVF, and says so; a real one is needed for more.
  const choice = await chooseAccelerator({ host: mac, cacheFile });
  assert.is(choice.accelerator, "tcg");
  assert.match(choice.reason, /HVF is not usable: .*hvf/);
  assert.is((await failure(chooseAccelerator({ wanted: "hvf", host: mac, cacheFile }))).code, "qemu.no-hvf");
  const other = await chooseAccelerator({ host: { platform: "linux", architecture: "aarch64" }, cacheFile });
  assert.is(other.source, "rule");
  assert.match(other.reason, "guests of x86_64 are translated on a host of aarch64");
});

withQemu(
  "VirtualMachine speaks QMP with ids, errors and events, and records the console from its first byte",
  async () => {
    const run = makeRunDirectory();
    const firmware = join(folder, "hello.rom");
    writeFileSync(firmware, serialTextRom("hello from a guest\r\n"));
    let text = "";
    const shape = { ...tiny, firmware, ports: ["org.floe.test.0"], paused: true };
    const machine = await VirtualMachine.start({
      shape,
      folder: run.path,
      onConsole: (data) => (text += data.toString()),
    });
    const [status, version] = await Promise.all([
      machine.qmp.command("query-status"),
      machine.qmp.command("query-version"),
    ]);
    assert.is(status.running, false);
    assert.ok(version.qemu.major >= 5);
    assert.is((await failure(machine.qmp.command("no-such-command"))).code, "qmp.refused");
    const resumed = machine.qmp.waitForEvent("RESUME");
    await machine.qmp.command("cont");
    assert.is((await resumed).event, "RESUME");
    for (let round = 0; round < 100 && !text.includes("guest"); round++) await sleep(50);
    assert.is(text, "hello from a guest\r\n");
    const aborted = failure(machine.qmp.waitForEvent("NEVER", { signal: AbortSignal.timeout(20) }));
    assert.match((await aborted).message, /aborted|timeout/i);
    assert.equal([...machine.ports.keys()], ["org.floe.test.0"]);
    assert.is((await machine.quit()).status, 0);
    assert.is((await failure(machine.qmp.command("query-status"))).code, "qmp.closed");
    assert.is((await failure(machine.qmp.waitForEvent("RESUME"))).code, "qmp.closed");
    run.remove();
  },
);

withQemu("VirtualMachine.start() shows QEMU's words when it ends at once", async () => {
  const run = makeRunDirectory();
  const shape = { ...tiny, disks: [{ file: "/there/is/no/disk", format: "raw" as const }] };
  const error = await failure(VirtualMachine.start({ shape, folder: run.path, onConsole: () => {} }));
  assert.is(error.code, "qemu.not-started");
  assert.match(error.message, /^Cannot start QEMU: .*\/there\/is\/no\/disk.* \(status 1\)$/);
  assert.match(error.details?.join("\n") ?? "", "/there/is/no/disk");
  run.remove();
});

withQemu("VirtualMachine.start() tells a host without memory from everything else", async () => {
  const run = makeRunDirectory();
  const qemu = join(folder, "small-qemu");
  writeFileSync(qemu, '#!/bin/sh\nulimit -v 4000000\nexec qemu-system-x86_64 "$@"\n', { mode: 0o755 });
  const shape = { ...tiny, memoryMiB: 8192 };
  const error = await failure(VirtualMachine.start({ shape, folder: run.path, qemu, onConsole: () => {} }));
  assert.is(error.code, "qemu.no-memory");
  assert.match(error.message, /^Cannot start QEMU: the host has no memory for it: .*Cannot allocate memory/);
  run.remove();
});

withQemu("cutPower() leaves nothing behind", async () => {
  const run = makeRunDirectory();
  const firmware = join(folder, "spin.rom");
  writeFileSync(firmware, spinningRom());
  const machine = await VirtualMachine.start({ shape: { ...tiny, firmware }, folder: run.path, onConsole: () => {} });
  assert.is((await machine.cutPower()).signal, "SIGKILL");
  assert.is(readCpuSeconds(machine.process.pid), undefined);
  run.remove();
});

const canOutlive = HAS_QEMU && process.platform === "linux" && findProgram("setpriv") !== undefined;
(canOutlive ? test : test.skip)("a killed driver leaves no QEMU", async () => {
  const firmware = join(folder, "spin.rom");
  writeFileSync(firmware, spinningRom());
  const wrapper = new URL("./index.ts", import.meta.url).href;
  const program = `
    import { readFileSync } from "node:fs";
    const { QemuProcess } = await import(${JSON.stringify(wrapper)});
    const qemu = await QemuProcess.start("qemu-system-x86_64", ["-nodefaults", "-display", "none", "-bios", ${JSON.stringify(firmware)}]);
    // The kernel's promise to end QEMU with us is made by setpriv, which needs a moment to get there.
    while (!readFileSync("/proc/" + qemu.pid + "/comm", "ascii").startsWith("qemu")) await new Promise((resolve) => setTimeout(resolve, 10));
    console.log(qemu.pid);
    process.kill(process.pid, "SIGKILL");`;
  let printed = "";
  try {
    execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch (error) {
    printed = (error as { stdout: string }).stdout;
  }
  const pid = Number(printed);
  assert.ok(pid > 0);
  const runs = (): boolean => {
    try {
      return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "ascii"));
    } catch {
      return false;
    }
  };
  for (let round = 0; round < 200 && runs(); round++) await sleep(50);
  const outlived = runs();
  if (outlived) process.kill(pid, "SIGKILL");
  assert.is(outlived, false);
});

test.run();
