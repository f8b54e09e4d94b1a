import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes } from "../../base/index.ts";
import { dumpFileNar, makeTextPath, type PathInfo, type StorePath, storePathBaseName } from "../../store/index.ts";
import { describeStore } from "../../store/store.contract.ts";
import { openLocalStore } from "./index.ts";
import type { LocalStore } from "./local-store.ts";
import { openTemporaryLayers, overlayRefusal, type TemporaryLayers } from "./testing-layers.ts";

const refused = overlayRefusal();
if (refused !== undefined) console.log(`skipped: an overlay cannot be mounted here: ${refused.trim()}`);
const ways = [false, ...(refused === undefined ? [true] : [])];

for (const isMounted of ways)
  describeStore(isMounted ? "overlay store, mounted" : "overlay store", () =>
    openTemporaryLayers(undefined, { isMounted }),
  );

describeStore("overlay store upon one that is only read", () => openTemporaryLayers(undefined, { isImmutable: true }));

const text = (name: string, contents: string, ...references: StorePath[]): StorePath =>
  makeTextPath(name, contents, references);
const BASE = text("base", "base");
const LOW = text("low", BASE, BASE);

function fill(lower: LocalStore): void {
  lower.addText("base", "base", []);
  lower.addText("low", BASE, [BASE]);
  lower.addText("lonely", "lonely", []);
}

for (const isMounted of ways) {
  const test = suite<{ layers: TemporaryLayers; before: string }>(isMounted ? "layers, mounted" : "layers");
  test.before.each(async (context) => {
    context.layers = await openTemporaryLayers(fill, { isMounted });
    context.before = fingerprint(context.layers.lowerRoot);
  });
  test.after.each(({ layers, before }) => {
    const after = fingerprint(layers.lowerRoot);
    layers.close();
    assert.is(after, before, "the lower store was changed");
  });

  test("what the lower store has is valid, with its facts, and is not copied", async ({
    layers: { store, upperLayer, lowerRoot },
  }) => {
    const lower = openLocalStore({ root: lowerRoot, readOnly: true });
    assert.equal(store.queryPathInfo(LOW), lower.queryPathInfo(LOW));
    assert.equal(store.allPaths(), lower.allPaths());
    assert.equal(store.allPathsText(), lower.allPathsText());
    assert.equal(store.allPathInfos(), lower.allPathInfos());
    assert.equal(new Set(store.allContents().map(({ path }) => path)), new Set(lower.allPaths()));
    assert.equal(store.closure([LOW]), [BASE, LOW]);
    assert.equal(store.closuresWithInfos([[LOW]]), lower.closuresWithInfos([[LOW]]));
    assert.equal(store.queryReferrers(BASE), [LOW]);
    assert.is(store.queryByDigest(LOW.slice(11, 43)), LOW);
    assert.is(readFileSync(store.realPath(LOW), "utf8"), BASE);
    lower.close();
    // Adding it again writes nothing, whichever way.
    assert.is(store.addText("base", "base", []), BASE);
    await store.importNar(store.queryPathInfo(LOW) as PathInfo, store.readNar(LOW));
    assert.equal(readdirSync(upperLayer), []);
  });

  test("an object of the upper store may refer to one of the lower, which is then told by both once", ({ layers }) => {
    const { store, upperLayer } = layers;
    const top = store.addText("top", `${LOW}`, [LOW]);
    assert.equal(readdirSync(upperLayer), [storePathBaseName(top)]);
    assert.equal(store.closure([top]), [BASE, LOW, top]);
    assert.equal(store.queryReferrers(LOW), [top]);
    assert.equal(store.queryReferrers(BASE), [LOW]);
    assert.is(new Set(store.allPaths()).size, store.allPaths().length);
    assert.is(store.allPaths().length, 4);
    assert.is(store.allContents().length, 4);
    assert.equal([store.isShared(LOW), store.isShared(top), store.isShared(`${LOW}/x`)], [true, false, true]);
    // Everything its rows refer to is in its own database, so it can be opened by itself.
    const alone = openLocalStore({ root: join(layers.folder, "m"), readOnly: true });
    assert.equal(alone.closure([top]), [BASE, LOW, top]);
    alone.close();
  });

  test("signatures go to the upper store", ({ layers: { store, lowerRoot } }) => {
    assert.is(store.addSignatures(new Map([[LOW, ["key-1:c2lnbmF0dXJl"]]])), 1);
    assert.equal(store.queryPathInfo(LOW)?.signatures, ["key-1:c2lnbmF0dXJl"]);
    assert.ok(store.isShared(LOW));
    using lower = openLocalStore({ root: lowerRoot, readOnly: true });
    assert.equal(lower.queryPathInfo(LOW)?.signatures, []);
  });

  test("trees are added through a temporary place of the upper store", async ({ layers }) => {
    const from = join(layers.folder, "tree");
    mkdirSync(join(from, "sub"), { recursive: true });
    writeFileSync(join(from, "sub/file"), "contents");
    const path = await layers.store.addTree({ name: "tree", from });
    assert.equal(readdirSync(layers.upperLayer), [storePathBaseName(path)]);
    assert.is(readFileSync(join(layers.store.realPath(path), "sub/file"), "utf8"), "contents");
  });

  test("what outputs became can be told by either, and depend on the other", async ({ layers }) => {
    const [a, b] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}!out`) as [string, string];
    const top = layers.store.addText("top", `${LOW}`, [LOW]);
    const made = { id: b, outPath: top, signatures: [], dependentRealisations: new Map([[a, LOW]]) };
    layers.store.addRealisations([{ id: a, outPath: LOW, signatures: [], dependentRealisations: new Map() }, made]);
    assert.equal(layers.store.queryRealisation(b), made);
    assert.equal(
      layers.store.queryRealisationsOf(LOW).map(({ id }) => id),
      [a],
    );
  });

  test.run();
}

const test = suite("layers that change");

test("realisations of the lower store are told above, and may be depended on", async () => {
  const [a, b] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}!out`) as [string, string];
  const layers = await openTemporaryLayers((lower) => {
    fill(lower);
    lower.addRealisations([{ id: a, outPath: LOW, signatures: ["k:s"], dependentRealisations: new Map() }]);
  });
  try {
    const { store } = layers;
    assert.ok(store.hasRealisations);
    assert.is(store.queryRealisation(a)?.outPath, LOW);
    const top = store.addText("top", `${LOW}`, [LOW]);
    store.addRealisations([{ id: b, outPath: top, signatures: [], dependentRealisations: new Map([[a, LOW]]) }]);
    assert.equal([...(store.queryRealisation(b)?.dependentRealisations ?? [])], [[a, LOW]]);
    assert.equal(store.queryRealisation(a)?.signatures, ["k:s"]);
    assert.is(store.queryRealisationsOf(LOW).length, 1);
  } finally {
    layers.close();
  }
});

test("what the lower store gets later is valid at once, and not registered again", async () => {
  const layers = await openTemporaryLayers(fill);
  try {
    const late = text("late", "late");
    assert.not.ok(layers.store.isValid(late));
    // Half of an object that nobody finished lies above.
    writeFileSync(layers.store.placeOf(late), "half");
    using lower = openLocalStore({ root: layers.lowerRoot });
    lower.addText("late", "late", []);
    assert.ok(layers.store.isValid(late));
    assert.is(readFileSync(layers.store.realPath(late), "utf8"), "late");
    // Somebody who had looked before registers it nevertheless.
    layers.store.registerOutputs([lower.queryPathInfo(late) as PathInfo]);
    assert.ok(layers.store.isShared(late));
  } finally {
    layers.close();
  }
});

test("what both built with different results stays as each has it", async () => {
  const layers = await openTemporaryLayers(fill);
  try {
    const path = text("built", "name");
    const infoOf = (contents: string): PathInfo => {
      const nar = dumpFileNar(Buffer.from(contents));
      return { path, narHash: hashBytes("sha256", nar), narSize: nar.length, references: [], signatures: [] };
    };
    const put = (store: LocalStore, contents: string): void => {
      writeFileSync(store.placeOf(path), contents);
      chmodSync(store.placeOf(path), 0o444);
      store.registerOutputs([infoOf(contents)]);
    };
    put(layers.store, "ours");
    using lower = openLocalStore({ root: layers.lowerRoot });
    put(lower, "theirs");
    assert.is(readFileSync(layers.store.realPath(path), "utf8"), "ours");
    assert.equal(layers.store.queryPathInfo(path)?.narHash, infoOf("ours").narHash);
    assert.not.ok(layers.store.isShared(path));
  } finally {
    layers.close();
  }
});

test("an overlay store upon an overlay store sees all three", async () => {
  const layers = await openTemporaryLayers(fill);
  try {
    const middle = layers.store.addText("middle", `${LOW}`, [LOW]);
    const address = `local-overlay://?root=${layers.folder}/n&upper-layer=${layers.folder}/v&lower-store=${encodeURIComponent(layers.address)}`;
    using store = openLocalStore({ root: address });
    const top = store.addText("top", middle, [middle]);
    assert.equal(store.closure([top]), [BASE, LOW, middle, top]);
    assert.equal(
      [BASE, middle, top].map((path) => realpathSync(store.realPath(path)).slice(layers.folder.length)),
      [BASE, middle, top].map((path, at) => `/${["lower/nix/store", "upper", "v"][at]}/${storePathBaseName(path)}`),
    );
  } finally {
    layers.close();
  }
});

test("a lower store that is not there is missed", async () => {
  const layers = await openTemporaryLayers(fill);
  try {
    renameSync(layers.lowerRoot, `${layers.lowerRoot}-away`);
    for (const readOnly of [false, true]) {
      assert.throws(
        () => openLocalStore({ root: layers.address, readOnly }),
        (error: { code?: string; message: string }) =>
          error.code === "store.missing" && error.message.includes(layers.lowerRoot),
      );
    }
  } finally {
    layers.close();
  }
});

if (refused === undefined) {
  test("a mount of other layers is refused, with both", async () => {
    const layers = await openTemporaryLayers(fill, { isMounted: true });
    try {
      const other = layers.address.replace("/upper", "/elsewhere");
      assert.throws(
        () => openLocalStore({ root: other }),
        (error: { code?: string; message: string }) =>
          error.code === "store.overlay-mismatch" && error.message.includes("/elsewhere"),
      );
    } finally {
      layers.close();
    }
  });
}

test.run();

/** Names, contents and times of everything below a directory, but for what a reader of SQLite leaves beside a database. */
function fingerprint(root: string): string {
  const hash = createHash("sha256");
  const visit = (path: string): void => {
    const stat = lstatSync(path);
    const isShared = /db\.sqlite-(shm|wal)$/.test(path) || path.endsWith("/db");
    hash.update(`${path} ${isShared ? "" : `${stat.mode} ${stat.mtimeMs} ${stat.ctimeMs}`}\n`);
    if (stat.isDirectory()) {
      for (const name of readdirSync(path).sort()) if (!/db\.sqlite-(shm|wal)$/.test(name)) visit(join(path, name));
    } else if (stat.isFile()) hash.update(readFileSync(path));
  };
  if (existsSync(root)) visit(root);
  return hash.digest("hex");
}
