import { chmodSync, mkdtempSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/index.ts";
import { findNativeProgram, type SandboxSupport } from "../sandbox/index.ts";
import { BuildUserPool, canHaveBuildUsers, hasBuildUsers } from "./build-users.ts";
import { ownerCheck } from "./outputs.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("build users");

test("hasBuildUsers() wants all the numbers builds may get", () => {
  assert.ok(hasBuildUsers("         0          0 4294967295\n"));
  assert.not.ok(hasBuildUsers("         0          0          1\n      1000       1000      65536\n"));
  assert.not.ok(hasBuildUsers(""));
});

test("take() never gives a user twice at once, also to another pool", async () => {
  const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
  const machinePool = `${directory}/machine`;
  const [one, other] = [
    new BuildUserPool(`${directory}/a`, { machinePool }),
    new BuildUserPool(`${directory}/b`, { machinePool }),
  ];
  try {
    const taken = await Promise.all([one.take(), one.take(), other.take(), other.take()]);
    assert.is(new Set(taken.map((user) => user.uid)).size, 4);
    assert.ok(taken.every(({ uid, gid }) => uid >= 0x34000000 && uid % 0x10000 === 0 && gid === uid));
    // A pool takes its own again first, and a closed one leaves all to others.
    taken[0].release();
    assert.is((await one.take()).uid, taken[0].uid);
    one.close();
    assert.ok(
      [taken[0].uid, taken[1].uid].includes((await new BuildUserPool(`${directory}/c`, { machinePool }).take()).uid),
    );
  } finally {
    one.close();
    other.close();
    rmSync(directory, { recursive: true });
  }
});

test("prepare() finds the user that is taken next", async () => {
  const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
  const pool = new BuildUserPool(directory, { machinePool: `${directory}/machine`, slots: 1 });
  try {
    const prepared = pool.prepare();
    await pool.take();
    await prepared;
    // There is none: whoever asks for it is told.
    await pool.prepare();
  } finally {
    pool.close();
    rmSync(directory, { recursive: true });
  }
});

test("take() says when all are taken", async () => {
  const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
  const pool = new BuildUserPool(directory, { machinePool: `${directory}/machine`, slots: 1 });
  try {
    await pool.take();
    await pool.take();
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, "build.no-free-user");
  } finally {
    pool.close();
    rmSync(directory, { recursive: true });
  }
});

test("ownerCheck() refuses files of others, but not the second name of a file", () => {
  const check = ownerCheck(1000);
  const stat = (uid: number, ino: number, nlink = 1): Stats => ({ uid, ino, nlink, dev: 1 }) as Stats;
  check("/a", stat(1000, 1, 2));
  // Its first name made it ours.
  check("/b", stat(0, 1, 2));
  assert.throws(
    () => check("/c", stat(0, 2, 2)),
    (error: { code?: string }) => error.code === "build.foreign-file",
  );
});

const bench = canHaveBuildUsers() ? await openBuildBench() : "only root may give builds users of their own";
if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const programs: readonly (readonly [string, SandboxSupport])[] = [
    ["floe-sandbox", { kind: "available", native: findNativeProgram(), bubblewrap: undefined }],
    ["bubblewrap", { kind: "available", native: undefined, bubblewrap: findProgram("bwrap") }],
  ];
  for (const [name, support] of programs) {
    if (support.kind === "available" && support.native === undefined && support.bubblewrap === undefined) {
      console.log(`skipped: ${name} is not on this machine`);
      continue;
    }
    test(`with ${name} no build is root, and its outputs are ours`, async () => {
      const value = await bench.script(
        "mkdir $out; cat /proc/self/status > $out/status; ln $out/status $out/twin; cat /proc/self/uid_map > $out/map",
        { name: `user-${name}` },
      );
      const report = await bench.build(value, { sandboxSupport: () => support });
      assert.is(report.exitCode, 0);
      const [, outside = 0] = readFileSync(`${bench.real(value)}/map`, "utf8")
        .trim()
        .split(/\s+/)
        .map(Number);
      if (name === "floe-sandbox") assert.ok(outside >= 0x34000000, String(outside));
      for (const file of ["", "/status", "/twin"]) assert.is(statSync(bench.real(value) + file).uid, 0);
    });

    test(`with ${name} the device nodes of the host stay as they are`, async () => {
      const before = statSync("/dev/null");
      const value = await bench.script(
        "for way in /dev/null /proc/self/fd/0; do chmod 600 $way 2>/dev/null && echo changed; done; touch $out",
        { name: `device-${name}` },
      );
      const report = await bench.build(value, { sandboxSupport: () => support });
      const after = statSync("/dev/null");
      assert.equal([after.mode, after.uid, after.ctimeMs], [before.mode, before.uid, before.ctimeMs]);
      assert.not.ok(report.events.some((event) => event.kind === "log-line" && event.line === "changed"));
      assert.is(report.exitCode, 0);
    });
  }

  for (const [name, support] of programs) {
    test(`with ${name} the user of a build needs no way to a store that is closed to others`, async () => {
      chmodSync(bench.directory, 0o700);
      try {
        const input = await bench.script("echo input > $out", { name: `closed-input-${name}` });
        const value = await bench.script(`cat ${input} > $out; id -u; cat /proc/self/uid_map`, {
          name: `closed-${name}`,
        });
        const report = await bench.build(value, { sandboxSupport: () => support });
        assert.is(report.exitCode, 0);
        assert.is(statSync(bench.real(value)).uid, 0);
      } finally {
        chmodSync(bench.directory, 0o711);
      }
    });
  }

  test.after(() => bench.close());
}

test.run();
