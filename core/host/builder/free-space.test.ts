import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../base/index.ts";
import type { BuildEvent, BuildOutcome } from "../../build/index.ts";
import { DEFAULT_GC_SETTINGS, type StorePath } from "../../store/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { buildPaths } from "./build-paths.ts";
import { FreeSpace } from "./free-space.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("a disk that runs full while we build");
const MIB = 1024 ** 2;

test("FreeSpace collects when less is free than the settings want, and not again for nothing", async () => {
  const { store, close } = openTemporaryStore();
  store.addText("garbage", "x", []);
  store.close();
  const building = openLocalStore({ root: store.root });
  const used = building.addText("used", "x", []);
  const events: BuildEvent[] = [];
  let free = 10;
  const space = new FreeSpace({
    store: building,
    settings: { ...DEFAULT_GC_SETTINGS, minFreeBytes: 5, maxFreeBytes: undefined },
    emit: (event) => events.push(event),
    freeBytes: () => free,
    checkMs: 10,
  });
  await pause(50);
  assert.equal(events, [], "there is enough");
  free = 4;
  for (let tries = 0; events.length === 0 && tries < 500; tries++) await pause(20);
  assert.match(events[0]?.kind === "warning" ? events[0].message : "", "deleted 1 store objects");
  assert.equal(building.allPaths(), [used]);
  await pause(100);
  assert.is(events.length, 1, "nothing was used up since");
  const full: BuildOutcome = {
    kind: "failed",
    error: new CodedError("build.disk-full", "full"),
    elapsedMs: 1,
    logPath: undefined,
  };
  assert.is(await space.madeRoomFor(full), false, "as little is free as before");
  assert.is(await space.madeRoomFor({ ...full, error: new CodedError("build.failed", "no") }), false);
  await space.stop();
  building.close();
  close();
});

const bench = await openBuildBench();
const small = mkdtempSync(join(tmpdir(), "floe-small-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", small], { stdio: "ignore" }).status === 0;
test.after(() => {
  if (mounted) spawnSync("umount", [small]);
  rmSync(small, { recursive: true });
  if (typeof bench !== "string") bench.close();
});

if (typeof bench === "string" || !mounted) {
  console.log(`skipped: ${typeof bench === "string" ? bench : "cannot mount a small disk to fill"}`);
} else {
  test("a build that finds the disk full of garbage succeeds at the second try, where the settings allow it", async () => {
    const value = await bench.script(`dd if=/dev/zero of=$out bs=1M count=20`, { name: "big" });
    const root = join(small, "root");
    mkdirSync(root);
    const filling = openLocalStore({ root });
    filling.addText("garbage", "x".repeat(25 * MIB), []);
    filling.close();
    const store = openLocalStore({ root });
    for (const path of bench.store.closure([value.drvPath as StorePath])) {
      const info = bench.store.queryPathInfo(path);
      if (info !== undefined) await store.importNar(info, bench.store.readNar(path));
    }
    const targets = [{ drvPath: value.drvPath as StorePath }];
    assert.is((await buildPaths({ store, targets })).failures[0]?.error.code, "build.disk-full");
    const events: BuildEvent[] = [];
    const collection = { ...DEFAULT_GC_SETTINGS, minFreeBytes: 0 };
    const report = await buildPaths({ store, targets, options: { collection, events: (event) => events.push(event) } });
    assert.is(report.exitCode, 0, JSON.stringify(report.failures));
    assert.ok(store.isValid(value.outPath));
    assert.ok(events.some((event) => event.kind === "warning" && event.message.includes("nearly full")));
    store.close();
  });
}

test.run();
