import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serialTextRom, spinningRom } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../qemu-wrapper/testing.ts";
import type { VmTestManifest } from "../manifest.ts";
import { Boot } from "./boot.ts";
import { checkHost } from "./check-host.ts";
import { MachineHost } from "./machine-host.ts";
import { isInfrastructure } from "./failure-kind.ts";
import { runVmTest, type Script } from "./run.ts";
import type { RunEvent } from "./run-log.ts";

// Guests here are firmware of a few bytes: what is tested is what becomes of machines that do not do what they should.
const withQemu = HAS_QEMU ? test : test.skip;
const folder = mkdtempSync(join(tmpdir(), "floe-driver-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

async function bootFirmware(rom: Uint8Array): Promise<Boot> {
  const work = mkdtempSync(join(folder, "boot-"));
  writeFileSync(join(work, "firmware"), rom);
  return Boot.start({
    name: "machine",
    architecture: "x86_64",
    accelerator: "tcg",
    memoryMiB: 16,
    cpus: 1,
    firmware: join(work, "firmware"),
    disks: [],
    socketFolder: work,
    folder: work,
    number: 1,
  });
}

async function failureOf(boot: Boot, seconds: number): Promise<{ code: string; message: string }> {
  const error = await boot.waitForAgent(seconds).then(
    () => assert.unreachable("nobody can have answered"),
    (caught) => caught,
  );
  boot.expectEnd();
  await boot.machine.cutPower();
  return error;
}

test("a machine that was never started has no disk to look at", () => {
  const host = new MachineHost({
    name: "machine",
    manifest: {
      architecture: "x86_64",
      memoryMiB: 16,
      cpus: 1,
      storeImage: "",
      rootImage: "",
      generations: { base: { toplevel: "", kernel: "", initrd: "", kernelParameters: "" } },
    },
    nics: [],
    accelerator: "tcg",
    mayFallBack: false,
    folder,
    storyFolder: folder,
    realPath: (path) => path,
    log: () => {},
    record: () => {},
    fork: () => assert.unreachable("nobody forks it") as never,
  });
  assert.throws(
    () => host.rootDisk(),
    (error: { code: string }) => error.code === "machine.no-disk",
  );
  return host.dispose();
});

withQemu("a guest that says nothing is machine.no-agent, with both times", async () => {
  const error = await failureOf(await bootFirmware(spinningRom()), 0.5);
  assert.is(error.code, "machine.no-agent");
  assert.match(error.message, /^Cannot boot the machine "machine": no word from the agent within .* s of guest time/);
  assert.match(error.message, "its console stayed empty");
});

withQemu("a guest that stops talking is shown with its last words", async () => {
  const error = await failureOf(
    await bootFirmware(serialTextRom("loading the system\r\nwaiting for the disk\r\n")),
    0.8,
  );
  assert.is(error.code, "machine.no-agent");
  assert.match(error.message, "last on its console: waiting for the disk");
});

withQemu("a kernel panic is the first line of the error, long before the time is over", async () => {
  const panic = "[    1.7] Kernel panic - not syncing: VFS: Unable to mount root fs";
  const boot = await bootFirmware(serialTextRom(`hello\r\n${panic}\r\n[    1.8] and more\r\n`));
  const begin = performance.now();
  const error = await failureOf(boot, 60);
  assert.is(error.code, "machine.kernel-panic");
  assert.is(error.message, `Cannot boot the machine "machine": ${panic}`);
  assert.ok(performance.now() - begin < 20_000);
  assert.ok(boot.lastWords().includes("  [    1.8] and more"));
});

withQemu("a boot that ends in an emergency shell is machine.boot-failed", async () => {
  const boot = await bootFirmware(serialTextRom("You are in emergency mode. After logging in, type ...\r\n"));
  assert.is((await failureOf(boot, 60)).code, "machine.boot-failed");
});

withQemu("a QEMU that is killed is machine.qemu-died", async () => {
  const boot = await bootFirmware(spinningRom());
  setTimeout(() => boot.machine.process.kill(), 50);
  const error = await failureOf(boot, 60);
  assert.is(error.code, "machine.qemu-died");
  assert.match(error.message, "SIGKILL");
});

function manifest(): VmTestManifest {
  const image = join(folder, "disk.img");
  writeFileSync(image, Buffer.alloc(1 << 16));
  const base = { toplevel: "/nix/store/none", kernel: image, initrd: image, kernelParameters: "" };
  const machine = {
    architecture: "x86_64",
    memoryMiB: 32,
    cpus: 1,
    storeImage: image,
    rootImage: image,
    generations: { base },
  } as const;
  return {
    type: "vmTest",
    name: "example",
    description: "",
    story: "",
    platforms: ["x86_64-linux"],
    tags: [],
    machines: { machine },
    programs: { node: "", path: [] },
  };
}

async function runStory(
  script: Script,
  options: { timeoutSeconds?: number; signal?: AbortSignal; folder?: string } = {},
) {
  const events: RunEvent[] = [];
  const run = options.folder ?? mkdtempSync(join(folder, "run-"));
  const result = await runVmTest({
    manifest: manifest(),
    storyFile: import.meta.filename,
    script,
    realPath: (path) => path,
    folder: run,
    accelerator: "tcg",
    log: (event) => events.push(event),
    ...options,
  });
  return { result, events, run };
}

withQemu("a story that passes leaves its events", async () => {
  const { result, run } = await runStory(async ({ step, note, assert: check }) => {
    await step("outer", () => step("inner", () => check.equal(1 + 1, 2)));
    note("that was it");
  });
  assert.is(result.ok, true);
  const lines = readFileSync(join(run, "events.ndjson"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(
    lines.map(({ kind }) => kind),
    ["run", "step-begin", "step-begin", "step-end", "step-end", "note", "result"],
  );
  assert.equal(lines[3].name, "inner");
});

withQemu("a kernel that cannot be loaded fails with QEMU's words, the step and the line of the story", async () => {
  const { result, run } = await runStory(async ({ machine, step }) => {
    await step("the machine boots", () => machine!.start());
  });
  assert.is(result.ok, false);
  const { error } = result;
  assert.match(error?.code ?? "", /^qemu\.not-started$|^machine\.qemu-died$/);
  const details = error?.details?.join("\n") ?? "";
  assert.match(details, "step: the machine boots");
  assert.match(details, /could not load kernel|invalid kernel|not in ELF|kernel/i);
  assert.match(details, /run\.test\.ts:\d+:\d+/);
  assert.ok(existsSync(join(run, "error.txt")));
  assert.not.ok(existsSync(join(run, "machine", "root.qcow2")));
});

withQemu("assertions show what was found and expected, at their own line", async () => {
  const { result } = await runStory(async ({ assert: check }) => check.match("one", /two/, "the page is wrong"));
  assert.is(result.error?.code, "story.assertion");
  assert.match(result.error?.message ?? "", "the page is wrong");
  assert.equal(result.error?.details?.slice(0, 2), ['found:    "one"', "expected: a match of /two/"]);
  assert.match(result.error?.at?.file ?? "", /run\.test\.ts$/);
  const { result: lists } = await runStory(async ({ assert: check }) => check.equal([1], [1]));
  assert.is(lists.error?.details?.[2], "two objects with equal content: deepEqual() compares that");
});

withQemu("what a story throws by itself is story.threw, at its line", async () => {
  const { result } = await runStory(async () => {
    throw new TypeError("no such thing");
  });
  assert.is(result.error?.code, "story.threw");
  assert.match(result.error?.at?.file ?? "", /run\.test\.ts$/);
});

withQemu("a machine that is off says so", async () => {
  const { result } = await runStory(async ({ machine }) => void (await machine!.succeed`true`));
  assert.is(result.error?.code, "machine.off");
  const { result: unknown } = await runStory(async ({ machine }) => void (await machine!.switchTo("nowhere")));
  assert.is(unknown.error?.code, "machine.unknown-generation");
});

withQemu("a machine without a recorded disk has no power cuts", async () => {
  const { result } = await runStory(
    async ({ machine }) => void (await machine!.storeAfterPowerCuts({ cuts: 1, seed: 1 })),
  );
  assert.is(result.error?.code, "machine.no-recorded-disk");
});

withQemu("a name that the story does not have is told where it is taken", async () => {
  const { result } = await runStory(async ({ machnie }) => void (await machnie!.start()));
  assert.is(result.error?.code, "story.unknown-name");
  assert.is(result.error?.hint, 'Did you mean "machine"?');
  assert.match(result.error?.at?.file ?? "", /run\.test\.ts$/);
  const { result: awaited } = await runStory(async (tools) => void (await (tools as unknown as Promise<unknown>)));
  assert.is(awaited.error, undefined);
});

withQemu("a run ends at its time limit, and when it is interrupted", async () => {
  const hang: Script = () => new Promise(() => {});
  const { result } = await runStory(hang, { timeoutSeconds: 0.2 });
  assert.is(result.error?.code, "vm-test.timeout");
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("interrupted")), 50);
  const { result: stopped } = await runStory(hang, { signal: controller.signal });
  assert.match(stopped.error?.message ?? "", "interrupted");
});

withQemu("records that have no room fail a test that went well, and nothing before its end", async () => {
  if (!existsSync("/dev/full")) return void console.log("skipped: this system has no /dev/full");
  const place = mkdtempSync(join(folder, "run-"));
  const { result, events } = await runStory(
    async ({ note, step }) => {
      rmSync(join(place, "events.ndjson"));
      symlinkSync("/dev/full", join(place, "events.ndjson"));
      await step("what is not recorded", () => note("happens all the same"));
    },
    { folder: place },
  );
  assert.is(result.error?.code, "vm-test.records-full");
  assert.is(isInfrastructure(result.error?.code ?? ""), true);
  assert.equal(
    events.map(({ kind }) => kind),
    ["run", "step-begin", "note", "step-end", "result"],
  );
});

withQemu("a test that finds no room at all begins no story, and one that meets it later blames the host", async () => {
  if (!existsSync("/dev/full")) return void console.log("skipped: this system has no /dev/full");
  const place = mkdtempSync(join(folder, "run-"));
  symlinkSync("/dev/full", join(place, "owner"));
  let begun = false;
  const { result, events } = await runStory(async () => void (begun = true), { folder: place });
  assert.equal([result.error?.code, begun], ["vm-test.records-full", false]);
  assert.equal(
    events.map(({ kind }) => kind),
    ["result"],
  );
  const { result: later } = await runStory(async () => writeFileSync("/dev/full", "some bytes"));
  assert.is(later.error?.code, "machine.host-disk-full");
  assert.match(later.error?.message ?? "", "ENOSPC");
  assert.is(isInfrastructure(later.error?.code ?? ""), true);
});

withQemu("a test whose time is over is shown with what it waits for", async () => {
  const story: Script = ({ step }) => step("wait", () => new Promise<void>(() => {}));
  const { result } = await runStory(story, { timeoutSeconds: 0.2 });
  assert.is(result.error?.message, `Cannot finish the test "example": after 0.2 s it still waits for the step "wait"`);
  assert.match(result.error?.at?.file ?? "", /run\.test\.ts$/);
});

withQemu("a story that outlives its run starts no machine any more", async () => {
  let late: Promise<unknown> = Promise.resolve();
  let wake = (): void => {};
  const over = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const story: Script = ({ machine }) => {
    late = over.then(() => machine!.start()).catch((caught: unknown) => caught);
    return late as Promise<void>;
  };
  const { result, run } = await runStory(story, { timeoutSeconds: 0.1 });
  assert.is(result.error?.code, "vm-test.timeout");
  wake();
  assert.is(((await late) as { code?: string }).code, "machine.disposed");
  assert.not.ok(existsSync(join(run, "machine", "argv.txt")));
  assert.not.ok(existsSync(join(run, "machine", "root.qcow2")));
});

test("checkHost() names what is missing before anything is built", () => {
  for (const [architecture, debian] of [
    ["x86_64", "qemu-system-x86"],
    ["aarch64", "qemu-system-arm"],
  ] as const)
    assert.throws(
      () => checkHost(architecture, folder),
      (error: { name: string; code: string; hint: string }) =>
        error.name === "CodedError" &&
        error.code === "qemu.missing" &&
        error.hint.includes(`apt-get install ${debian}`),
    );
});

test.run();
