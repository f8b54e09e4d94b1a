import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StorePath } from "../../store/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("a full disk");
const bench = await openBuildBench();
const small = mkdtempSync(`${tmpdir()}/floe-small-`);
// Only root can mount a small disk to fill.
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", small], { stdio: "ignore" }).status === 0;

if (typeof bench === "string" || !mounted) {
  console.log(`skipped: ${typeof bench === "string" ? bench : "cannot mount a small disk to fill"}`);
  rmSync(small, { recursive: true });
} else {
  test("a full disk has its own error, which says what helps", async () => {
    const value = await bench.script("dd if=/dev/zero of=$out bs=1M count=100", { name: "big" });
    const store = openLocalStore({ root: small });
    try {
      for (const path of bench.store.closure([value.drvPath as StorePath])) {
        const info = bench.store.queryPathInfo(path);
        if (info !== undefined) await store.importNar(info, bench.store.readNar(path));
      }
      const report = await buildPaths({ store, targets: [{ drvPath: value.drvPath as StorePath }] });
      assert.equal([report.exitCode, report.failures[0]?.error.code], [100, "build.disk-full"]);
      assert.match(report.failures[0]?.error.hint ?? "", "Free some space");
      assert.match(report.failures[0]?.error.hint ?? "", "--store DIR");
      assert.not.ok(store.isValid(value.outPath));
    } finally {
      store.close();
    }
  });

  test.after(() => {
    spawnSync("umount", [small]);
    rmSync(small, { recursive: true });
    bench.close();
  });
}

test.run();
