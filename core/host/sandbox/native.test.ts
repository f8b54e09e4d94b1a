import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findBusybox } from "../builder/testdata/busybox.ts";
import { NativeSandbox } from "./native.ts";
import { describeSandbox } from "./sandbox.contract.ts";
import { makeSystemCallFilter } from "./seccomp/index.ts";
import { findNativeProgram, findReadOnlyProc } from "./support.ts";

const isRoot = process.getuid?.() === 0;
const id = 0x34000000 + 900 * 0x10000;
const program = findNativeProgram();

await describeSandbox(
  "floe-sandbox",
  async () =>
    program === undefined
      ? "it was not compiled (tools/setup.sh does so where there is a C compiler)"
      : new NativeSandbox(program),
  { user: isRoot ? { uid: id, gid: id } : undefined, limitsProcesses: true },
);

// In a container root may not be able to give builders another user: then they are root to the kernel, without rights.
if (isRoot && program !== undefined)
  await describeSandbox("floe-sandbox without build users", async () => new NativeSandbox(program), {
    user: undefined,
    limitsProcesses: false,
  });

const test = suite("NativeSandbox");

if (program !== undefined) {
  const directory = mkdtempSync(`${tmpdir()}/floe-native-test-`);

  test("lock() takes a lock once, and gives it back with its file", async () => {
    const sandboxes = [new NativeSandbox(program), new NativeSandbox(program)] as const;
    const file = `${directory}/a.lock`;
    const held = await sandboxes[0].lock(file);
    assert.ok(held);
    assert.is(await sandboxes[1].lock(file), undefined);
    assert.is(await sandboxes[0].lock(file), undefined);
    held.release();
    const next = await waitForLock(() => sandboxes[1].lock(file));
    assert.ok(existsSync(file));
    // Whoever goes away gives back what it had.
    await sandboxes[1].close();
    assert.ok(await waitForLock(() => sandboxes[0].lock(file)));
    assert.ok(next);
    await sandboxes[0].close();
  });

  test("lock() tells why a file cannot be locked", async () => {
    const sandbox = new NativeSandbox(program);
    try {
      await sandbox.lock(`${directory}/none/a.lock`);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, "sandbox.lock-failed");
      assert.match((error as Error).message, "ENOENT");
    } finally {
      await sandbox.close();
    }
  });

  test("remove() removes a tree without following links, and leaves what is too deep to others", async () => {
    const sandbox = new NativeSandbox(program);
    try {
      mkdirSync(`${directory}/tree/a/b`, { recursive: true });
      writeFileSync(`${directory}/kept`, "");
      writeFileSync(`${directory}/tree/a/file`, "");
      symlinkSync("..", `${directory}/tree/a/up`);
      chmodSync(`${directory}/tree/a`, 0o500);
      const deep = `${directory}/deep${"/d".repeat(300)}`;
      mkdirSync(deep, { recursive: true });
      const removed = ["tree", "none", "deep", "kept/none"].map((name) => sandbox.remove(`${directory}/${name}`));
      assert.equal(await Promise.all(removed), [true, true, false, false]);
      assert.equal([`${directory}/tree`, `${directory}/kept`, deep].map(existsSync), [false, true, true]);
    } finally {
      await sandbox.close();
    }
  });

  test("what it keeps for later dies with it", async () => {
    const busybox = await findBusybox();
    if (typeof busybox === "string") return console.log(`skipped: ${busybox}`);
    const sandbox = new NativeSandbox(program);
    await sandbox.ready;
    const top = mkdtempSync(`${directory}/later-`);
    for (const name of ["store", "build", "etc", "tools"]) mkdirSync(`${top}/${name}`);
    copyFileSync(busybox.program, `${top}/tools/busybox`);
    chmodSync(`${top}/tools/busybox`, 0o755);
    const spec = {
      storeDirectory: `${top}/store`,
      inputs: [{ from: `${top}/tools`, to: "tools" }],
      buildDirectory: `${top}/build`,
      etcDirectory: `${top}/etc`,
      environment: [],
      network: false,
      devices: [],
      readOnlyProc: findReadOnlyProc(),
      maxProcesses: 100,
      maxFileBytes: 0,
      maxDataBytes: 0,
      allowNewPrivileges: false,
      filter: makeSystemCallFilter(process.arch === "arm64" ? "arm64" : "x64"),
    };
    const builder = "/nix/store/tools/busybox";
    const options = { spec, builder, args: ["true"], scratchDirectory: top, receive: () => {} };
    for (let round = 0; round < 3; round++)
      assert.equal(await (await sandbox.start(options)).ended, { kind: "exited", code: 0 });
    await sandbox.remove(`${top}/nothing`);
    const [parent = 0] = childrenOf(process.pid, "floe-sandbox");
    // One that removes, and a sandbox for the next builder.
    const kept = childrenOf(parent, "floe-sandbox");
    assert.is(kept.length, 2);
    process.kill(parent, "SIGKILL");
    await sandbox.close();
    for (const deadline = Date.now() + 10_000; kept.some((pid) => existsSync(`/proc/${pid}`)); ) {
      if (Date.now() > deadline) throw new Error(`still there after 10 s: ${kept.join(", ")}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });

  test("own() gives a tree to a user, follows no link, tells what it cannot, and all is ours again at the end", async () => {
    const sandbox = new NativeSandbox(program);
    const tree = `${directory}/owned`;
    mkdirSync(`${tree}/sub`, { recursive: true });
    writeFileSync(`${directory}/elsewhere`, "");
    writeFileSync(`${tree}/sub/file`, "");
    symlinkSync(`${directory}/elsewhere`, `${tree}/link`);
    const owners = (): number[] =>
      [tree, `${tree}/sub/file`, `${tree}/link`, `${directory}/elsewhere`].map((path) => lstatSync(path).uid);
    const [own, other] = isRoot ? [0, 1234] : [process.getuid?.() ?? 0, process.getuid?.() ?? 0];
    try {
      await sandbox.own(tree, isRoot ? { uid: 1234, gid: 1234 } : { uid: 1, gid: 1 });
      assert.equal(owners(), [other, other, other, own]);
      await sandbox.own(`${directory}/absent`, { uid: 1, gid: 1 });
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, "sandbox.own-failed");
      assert.match((error as Error).message, "ENOENT");
    } finally {
      await sandbox.close();
    }
    assert.equal(owners(), [own, own, own, own]);
  });

  test.after(() => rmSync(directory, { recursive: true }));
}

test("a program that does not make sandboxes is refused", async () => {
  for (const [other, found] of [
    ["/bin/false", "it ended with status 1"],
    ["/nope/floe-sandbox", "ENOENT"],
  ] as const) {
    const sandbox = new NativeSandbox(other);
    try {
      await sandbox.ready;
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, "sandbox.native-failed");
      assert.match((error as Error).message, found);
    } finally {
      await sandbox.close();
    }
  }
});

/** Processes of this name that a process started. */
function childrenOf(parent: number, name: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "utf8");
        return status.startsWith(`Name:\t${name}\n`) && status.includes(`\nPPid:\t${parent}\n`);
      } catch {
        return false;
      }
    });
}

async function waitForLock<T>(take: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const taken = await take();
    if (taken !== undefined) return taken;
    if (Date.now() > deadline) throw new Error("the lock was not given back within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.run();
