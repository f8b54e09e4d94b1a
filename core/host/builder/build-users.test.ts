import { chmodSync, mkdtempSync, readFileSync, rmSync, type Stats, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StorePath } from "../../store/index.ts";
import { findProgram } from "../process/index.ts";
import { findNativeProgram, type SandboxSupport } from "../sandbox/index.ts";
import { buildPaths } from "./build-paths.ts";
import { BuildUserPool, canHaveBuildUsers, hasBuildUsers, type UserRange } from "./build-users.ts";
import { ownerCheck } from "./outputs.ts";
import { checkPlatform } from "./platform.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("build users");

/** Numbers that no build has: whoever takes a user kills its processes, and builds of other tests are at work. */
const FIRST_ID = 0x38000000;
const rangeAt = (directory: string, slots = 8): UserRange => ({
  directory: `${directory}/machine`,
  firstId: FIRST_ID,
  slots,
});

test("hasBuildUsers() wants all the numbers builds may get", () => {
  assert.ok(hasBuildUsers("         0          0 4294967295\n"));
  assert.not.ok(hasBuildUsers("         0          0          1\n      1000       1000      65536\n"));
  assert.not.ok(hasBuildUsers(""));
});

test("take() never gives a user twice at once, also to another pool", async () => {
  const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
  const range = rangeAt(directory);
  const [one, other] = [new BuildUserPool(`${directory}/a`, range), new BuildUserPool(`${directory}/b`, range)];
  try {
    const taken = await Promise.all([one.take(), one.take(), other.take(), other.take()]);
    assert.is(new Set(taken.map((user) => user.uid)).size, 4);
    assert.ok(taken.every(({ uid, gid }) => uid >= FIRST_ID && uid % 0x10000 === 0 && gid === uid));
    // A pool takes its own again first, and a closed one leaves all to others.
    taken[0].release();
    assert.is((await one.take()).uid, taken[0].uid);
    one.close();
    assert.ok([taken[0].uid, taken[1].uid].includes((await new BuildUserPool(`${directory}/c`, range).take()).uid));
  } finally {
    one.close();
    other.close();
    rmSync(directory, { recursive: true });
  }
});

test("prepare() finds the user that is taken next", async () => {
  const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
  const pool = new BuildUserPool(directory, rangeAt(directory, 1));
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
  const pool = new BuildUserPool(directory, rangeAt(directory, 1));
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
  const check = ownerCheck({ first: 1000, count: 1 });
  const stat = (uid: number, ino: number, nlink = 1): Stats => ({ uid, ino, nlink, dev: 1 }) as Stats;
  check("/a", stat(1000, 1, 2));
  // Its first name made it ours.
  check("/b", stat(0, 1, 2));
  assert.throws(
    () => check("/c", stat(0, 2, 2)),
    (error: { code?: string }) => error.code === "build.foreign-file",
  );
  const many = ownerCheck({ first: 1000, count: 10 });
  many("/d", stat(1009, 3));
  for (const uid of [999, 1010])
    assert.throws(
      () => many("/e", stat(uid, 4)),
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

  const range = { requiredSystemFeatures: "uid-range" };
  const [[, native], [, bubblewrap]] = programs as [(typeof programs)[0], (typeof programs)[0]];
  const hasNative = findNativeProgram() !== undefined;
  const ranged = hasNative ? test : test.skip;
  if (!hasNative) console.log("skipped: floe-sandbox is not there, and bubblewrap gives builders one user");

  ranged("a build that asks for uid-range is root of 65,536 users, and of nothing else", async () => {
    const value = await bench.script(
      `id -u; cat /proc/self/uid_map /proc/self/gid_map; mkdir $out; touch $out/f $out/g; busybox chown 1234:77 $out/f
       stat -c %u:%g $out/f; busybox chown 65535 $out/g && busybox chown 65536 $out/g 2>/dev/null || echo no-more
       mknod /build/disk b 8 0 2>/dev/null || echo no-devices; mount -t tmpfs x /tmp 2>/dev/null || echo no-mounts
       chmod u+s $out/f 2>/dev/null || echo no-set-id; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo no-settings
       hostname other 2>/dev/null || echo no-hostname; cat /proc/self/uid_map > $out/map`,
      { name: "ranged", env: range },
    );
    const report = await bench.build(value, { sandboxSupport: () => native });
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    const lines = report.events.flatMap((event) =>
      event.kind === "log-line" ? [event.line.trim().replace(/\s+/g, " ")] : [],
    );
    const [uid, users = "", groups = "", ...rest] = lines;
    assert.is(uid, "0");
    for (const map of [users, groups]) {
      const [inside, outside = 0, count] = map.split(" ").map(Number);
      assert.equal([inside, outside >= 0x34000000, outside % 65536, count], [0, true, 0, 65536]);
    }
    assert.equal(rest, ["1234:77", "no-more", "no-devices", "no-mounts", "no-set-id", "no-settings", "no-hostname"]);
    for (const file of ["", "/f", "/g"]) assert.is(statSync(bench.real(value) + file).uid, 0);
  });

  ranged("such a build may make name spaces of its own, and the next one is no root", async () => {
    const inner = "busybox unshare -m -p -f busybox sh -c 'busybox mount -t tmpfs x /tmp && echo mounted'";
    const value = await bench.script(`${inner} || echo refused; touch $out`, { name: "ranged-inner", env: range });
    const report = await bench.build(value, { sandboxSupport: () => native });
    assert.is(report.exitCode, 0);
    const said = report.events.flatMap((event) => (event.kind === "log-line" ? [event.line] : []));
    assert.equal(said, ["mounted"]);
    const plain = await bench.script("id -u > $out", { name: "not-ranged" });
    assert.is((await bench.build(plain, { sandboxSupport: () => native })).exitCode, 0);
    assert.is(readFileSync(bench.real(plain), "utf8"), "1000\n");
  });

  test("uid-range is refused where nobody can give it", async () => {
    const value = await bench.script("touch $out", { name: "ranged-refused", env: range });
    if (hasNative && findProgram("bwrap") !== undefined) {
      const { failures } = await bench.build(value, { sandboxSupport: () => bubblewrap });
      assert.equal(
        failures.map(({ error }) => [error.code, error.exitCode]),
        [["build.no-uid-range", 100]],
      );
    }
    const platform = { systems: ["x86_64-linux"], features: [] };
    const drv = bench.store.readDerivation(value.drvPath);
    assert.throws(
      () => checkPlatform(drv, platform),
      (error: { code?: string; hint?: string }) =>
        error.code === "build.missing-feature" && /65,536/.test(error.hint ?? ""),
    );
  });

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

  test("pools of other numbers leave the builds of this machine alone, and its own pool passes over users that are held", async () => {
    const value = await bench.script("sleep 1; touch $out", { name: "left-alone" });
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const report = buildPaths({
      store: bench.store,
      targets: [{ drvPath: value.drvPath as StorePath }],
      options: { events: ({ kind }) => kind === "started" && begun() },
    });
    await running;
    const directory = mkdtempSync(`${tmpdir()}/floe-users-`);
    const pools = [new BuildUserPool(directory, rangeAt(directory)), new BuildUserPool(`${directory}/state`)];
    try {
      for (const pool of pools) for (let taken = 0; taken < 4; taken++) await pool.take();
      const { exitCode, failures } = await report;
      assert.is(exitCode, 0, failures.map(({ error }) => error.message).join());
    } finally {
      for (const pool of pools) pool.close();
      rmSync(directory, { recursive: true });
    }
  });

  test.after(() => bench.close());
}

test.run();
