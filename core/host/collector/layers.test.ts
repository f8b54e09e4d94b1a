import { existsSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { type StorePath, storePathBaseName } from "../../store/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryLayers, overlayRefusal } from "../local-store/testing-layers.ts";
import { optimiseStore, settle, verifyStore } from "../maintenance/index.ts";
import { repair } from "../maintenance/repair.ts";
import { collectGarbage, deletePaths } from "./index.ts";

const ways = [false, ...(overlayRefusal() === undefined ? [true] : [])];
if (ways.length === 1) console.log("skipped: an overlay cannot be mounted here");

for (const isMounted of ways) {
  const test = suite(isMounted ? "layers that are mounted" : "layers");
  const low: StorePath[] = [];
  const open = () =>
    openTemporaryLayers(
      async (lower) => {
        low.splice(0);
        low.push(lower.addText("base", "base", []));
        low.push(
          lower.addText("low", low[0] as string, low.slice(0, 1)),
          lower.addText("lonely", "l".repeat(5000), []),
        );
        lower.addText("twin", "l".repeat(5000), []);
        await optimiseStore(lower);
      },
      { isMounted },
    );

  test("a collection deletes what is the upper store's alone, and hides nothing of the lower", async () => {
    const layers = await open();
    const { store, address, upperLayer, lowerRoot } = layers;
    try {
      const [, lowObject] = low as [StorePath, StorePath];
      const kept = store.addText("kept", lowObject, [lowObject]);
      const dead = store.addText("dead", lowObject, [lowObject]);
      writeFileSync(join(upperLayer, "leftover"), "nobody's");
      symlinkSync(kept, join(store.stateDirectory, "gcroots/kept"));
      store.close();
      const names = readdirSync(join(lowerRoot, "nix/store")).sort();

      const planned = await collectGarbage({ root: address, dryRun: true });
      assert.equal([...planned.dead].sort(), [dead, "/nix/store/leftover"].sort());
      const report = await collectGarbage({ root: address });
      assert.is(report.deleted, 2);
      assert.equal(
        readdirSync(upperLayer).filter((name) => !name.startsWith(".")),
        [storePathBaseName(kept)],
      );
      assert.equal(readdirSync(join(lowerRoot, "nix/store")).sort(), names);
      using after = openLocalStore({ root: address });
      for (const path of [...low, kept]) {
        assert.ok(after.isValid(path), path);
        assert.ok(existsSync(after.realPath(path)), path);
      }
      assert.not.ok(after.isValid(dead));
      assert.equal((await verifyStore(after, { contents: true })).faults, []);
    } finally {
      layers.close();
    }
  });

  test("an object of the lower store cannot be deleted from above", async () => {
    const layers = await open();
    try {
      const [path] = low.slice(-1) as [StorePath];
      layers.store.close();
      for (const ignoreLiveness of [false, true]) {
        const fault = await deletePaths({ root: layers.address, paths: [path], ignoreLiveness }).then(
          () => undefined,
          (error: CodedError) => error,
        );
        assert.is(fault?.code, "gc.shared");
      }
      using store = openLocalStore({ root: layers.address });
      assert.is(readFileSync(store.realPath(path), "utf8").length, 5000);
    } finally {
      layers.close();
    }
  });

  test("optimising joins files of the upper store only; damage below is told and left to the lower store", async () => {
    const layers = await open();
    const { store, lowerRoot } = layers;
    try {
      const [base, , lonely] = low as [StorePath, StorePath, StorePath];
      const [twin] = store.allPaths().filter((path) => path.endsWith("-twin")) as [StorePath];
      store.addText("one", "x".repeat(5000), [base]);
      store.addText("two", "x".repeat(5000), [base]);
      const { objects, linked } = await optimiseStore(store);
      assert.equal([objects, linked], [2, 1]);
      // Row and file of a lower store that breaks its promise to change nothing.
      const place = join(lowerRoot, lonely);
      writeFileSync(place, "damaged");
      const findings = await verifyStore(store, { contents: true });
      assert.equal(
        findings.faults.map(({ kind, path }) => (kind === "damaged" ? path : kind)).sort(),
        // One file with two names.
        [lonely, twin].sort(),
      );
      settle(store, findings);
      for (const outcome of await repair(store, findings.faults, { sources: [] })) {
        assert.is(outcome.repaired, false);
        assert.match(outcome.words, "lower store");
      }
      assert.is(readFileSync(place, "utf8"), "damaged");
    } finally {
      layers.close();
    }
  });

  test.run();
}

const test = suite("collecting a store that is only read");

test("nothing is deleted, and a dry run makes nothing", async () => {
  const layers = await openTemporaryLayers((lower) => lower.addText("dead", "dead", []));
  try {
    const root = `${layers.lowerRoot}?read-only=true`;
    const before = readdirSync(layers.lowerRoot, { recursive: true }).length;
    const { dead } = await collectGarbage({ root, dryRun: true });
    assert.is(dead.length, 1);
    for (const act of [
      () => collectGarbage({ root }),
      async () => {
        using store = openLocalStore({ root });
        await optimiseStore(store);
      },
    ]) {
      const fault = await act().then(
        () => undefined,
        (error: CodedError) => error,
      );
      assert.is(fault?.code, "store.read-only");
    }
    assert.is(readdirSync(layers.lowerRoot, { recursive: true }).length, before);
  } finally {
    layers.close();
  }
});

test.run();
