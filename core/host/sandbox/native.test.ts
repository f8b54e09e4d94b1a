import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { NativeSandbox } from "./native.ts";
import { describeSandbox } from "./sandbox.contract.ts";
import { findNativeProgram } from "./support.ts";

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

async function waitForLock<T>(take: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const taken = await take();
    if (taken !== undefined) return taken;
    if (Date.now() > deadline) throw new Error("the lock was not given back within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.run();
