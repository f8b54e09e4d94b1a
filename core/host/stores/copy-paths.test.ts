import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatHash } from "../../base/index.ts";
import { publicKeyOf, type PathInfo, type StorePath } from "../../store/index.ts";
import { removeTree, scanTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { generateSecretKey, writeSecretKey } from "../signing/index.ts";
import { serveDirectory } from "../binary-cache/testing.ts";
import { type AnyStore, copyPaths, openStoreUrl } from "./index.ts";

interface Context {
  readonly source: ReturnType<typeof openTemporaryStore>;
  readonly target: ReturnType<typeof openTemporaryStore>;
  readonly directory: string;
}

const test = suite<Context>("copying between stores");
test.before.each((context) => {
  const directory = mkdtempSync(join(tmpdir(), "floe-copy-"));
  Object.assign(context, { source: openTemporaryStore(), target: openTemporaryStore(), directory });
});
test.after.each(({ source, target, directory }) => {
  source.close();
  target.close();
  removeTree(directory);
});

const key = generateSecretKey("copy-1");

/** A chain of texts, and a tree built from them, which is known by its input and so needs a signature. */
async function fill({ source: { store, folder } }: Context): Promise<{ top: StorePath; all: StorePath[] }> {
  const texts = [store.addText("a", "a", [])];
  for (const name of ["b", "c", "d"])
    texts.push(store.addText(name, String(texts.at(-1)), [texts.at(-1) as StorePath]));
  const top = "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath;
  mkdirSync(store.realPath(top));
  writeFileSync(join(store.realPath(top), "self"), `${top} ${texts[3]}`);
  writeFileSync(join(store.realPath(top), "big"), "x".repeat(3_000_000));
  const scanned = await scanTree(store.realPath(top), { candidates: [...texts, top], canonicalise: true });
  store.registerOutputs([{ path: top, ...scanned, ultimate: true, signatures: [] }]);
  assert.ok(folder);
  return { top, all: store.closure([top]) };
}

const digestsIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".narinfo"))
    .map((name) => name.slice(0, 32))
    .sort();

async function fails(code: string, run: () => Promise<unknown>): Promise<CodedError> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code, String(error));
    return error as CodedError;
  }
  return assert.unreachable(`expected ${code}`) as never;
}

function cacheUrl(directory: string, more = ""): string {
  const file = join(directory, "key");
  writeSecretKey(file, key);
  return `file://${directory}/cache?secret-key=${file}${more}`;
}

for (const compression of ["zstd", "none", "gzip", "xz", "bzip2"]) {
  test(`a closure goes through a signed cache of ${compression} into another store`, async (context) => {
    const { source, target, directory } = context;
    const { top, all } = await fill(context);
    using cache = await openStoreUrl(cacheUrl(directory, `&compression=${compression}`), { create: true });
    assert.equal(await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] }), all);
    assert.equal(await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] }), []);
    using again = await openStoreUrl(`file://${directory}/cache`);
    const trusted = [publicKeyOf(key)];
    assert.equal(await copyPaths({ from: again, to: target.store, paths: [top], trusted }), all);
    for (const path of all) {
      const [theirs, ours] = [source, target].map(({ store }) => store.queryPathInfo(path) as PathInfo);
      assert.is(formatHash(ours!.narHash, "sri"), formatHash(theirs!.narHash, "sri"));
      assert.equal([ours!.references, ours!.ca, ours!.ultimate], [theirs!.references, theirs!.ca, false]);
    }
    assert.is((await scanTree(target.store.realPath(top))).narSize, source.store.queryPathInfo(top)?.narSize);
  });
}

test("a closure goes over the web, with one connection for many files", async (context) => {
  const { source, target, directory } = context;
  const { top, all } = await fill(context);
  mkdirSync(join(directory, "cache"));
  const server = await serveDirectory(join(directory, "cache"));
  try {
    using cache = await openStoreUrl(server.url, { create: true });
    await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] });
    using again = await openStoreUrl(server.url);
    const before = server.connections();
    await copyPaths({ from: again, to: target.store, paths: [top], trusted: "all" });
    assert.equal(target.store.closure([top]), all);
    assert.ok(server.connections() - before <= all.length, `${server.connections() - before} connections`);
  } finally {
    await server.close();
  }
});

test("nothing without a trusted signature comes in, and nothing is fetched for it", async (context) => {
  const { source, target, directory } = context;
  const { top, all } = await fill(context);
  using cache = await openStoreUrl(`file://${directory}/cache`, { create: true });
  await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] });
  const options = { from: cache, to: target.store, paths: [top] };
  await fails("signature.untrusted", () => copyPaths({ ...options, trusted: [publicKeyOf(key)] }));
  assert.equal(target.store.allPaths(), []);
  assert.equal(await copyPaths({ ...options, trusted: "all" }), all);
});

test("a cache that is said to be trusted needs no signatures", async (context) => {
  const { source, target, directory } = context;
  const { top } = await fill(context);
  using cache = await openStoreUrl(`file://${directory}/cache?trusted=true`, { create: true });
  await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] });
  await copyPaths({ from: cache, to: target.store, paths: [top], trusted: [] });
  assert.ok(target.store.isValid(top));
});

test("without references only what is named is copied, and only where the rest is", async (context) => {
  const { source, target } = context;
  const { all } = await fill(context);
  const [a, b] = all as [StorePath, StorePath];
  const options = { from: source.store, to: target.store, recursive: false, trusted: [] };
  await fails("store.reference-not-valid", () => copyPaths({ ...options, paths: [b] }));
  assert.equal(await copyPaths({ ...options, paths: [a] }), [a]);
  assert.equal(await copyPaths({ ...options, paths: [b] }), [b]);
});

test("a cache whose narinfos appear is whole at any moment, also when a copy fails half-way", async (context) => {
  const { source, directory } = context;
  const { top, all } = await fill(context);
  using cache = await openStoreUrl(`file://${directory}/cache`, { create: true });
  const broken: AnyStore = new Proxy(source.store, {
    get(store, name) {
      const value = Reflect.get(store, name);
      if (name !== "readNar") return typeof value === "function" ? value.bind(store) : value;
      return async function* (path: StorePath) {
        if (path === all[2]) throw new Error("the disk is gone");
        yield* store.readNar(path);
      };
    },
  });
  try {
    await copyPaths({ from: broken, to: cache, paths: [top], trusted: [] });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, "the disk is gone");
  }
  const there = digestsIn(join(directory, "cache"));
  for (const digest of there) {
    const path = (await cache.queryByDigest(digest)) as StorePath;
    for (const reference of (await cache.queryPathInfo(path))!.references)
      assert.ok(await cache.isValid(reference), `${path} without ${reference}`);
  }
  assert.is(there.includes(top.slice(11, 43)), false);
  assert.equal(readdirSync(join(directory, "cache/.floe-unfinished")), []);
  await copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] });
  assert.is(digestsIn(join(directory, "cache")).length, all.length);
});

test("an object that was changed in its store does not get into a cache", async (context) => {
  const { source, directory } = context;
  const { top } = await fill(context);
  using cache = await openStoreUrl(`file://${directory}/cache`, { create: true });
  rmSync(join(source.store.realPath(top), "self"), { force: true });
  await fails("store.nar-mismatch", () => copyPaths({ from: source.store, to: cache, paths: [top], trusted: [] }));
  assert.is(await cache.isValid(top), false);
});

test("the plan and every object are told", async (context) => {
  const { source, target } = context;
  const { all, top } = await fill(context);
  const told: unknown[] = [];
  let bytes = 0;
  await copyPaths({
    from: source.store,
    to: target.store,
    paths: [top],
    trusted: "all",
    planned: (objects, size) => told.push([objects, size]),
    progress: ({ done, total }) => told.push([done, total]),
    moved: (count) => {
      bytes += count;
    },
  });
  const size = all.reduce((sum, path) => sum + (source.store.queryPathInfo(path)?.narSize ?? 0), 0);
  assert.equal(told, [[5, size], ...[1, 2, 3, 4, 5].map((done) => [done, 5])]);
  assert.is(bytes, size);
});

test("openStoreUrl() refuses what it does not know, and makes no cache of a wrong address", async ({ directory }) => {
  await fails("store-url.unknown-scheme", () => openStoreUrl("gopher://cache"));
  await fails("store-url.malformed", () => openStoreUrl("cache"));
  await fails("store-url.malformed", () => openStoreUrl("http://[bad"));
  await fails("store-url.malformed", () => openStoreUrl("file://other-host/cache"));
  await fails("store-url.malformed", () => openStoreUrl(`file://${directory}?priority=high`));
  await fails("store-url.malformed", () => openStoreUrl(`file://${directory}?trusted=maybe`));
  await fails("store-url.malformed", () => openStoreUrl("local?root=a&root=b"));
  await fails("cache.compression-unknown", () => openStoreUrl(`file://${directory}?compression=rar`));
  await fails("cache.not-a-cache", () => openStoreUrl(`file://${directory}/none`));
  writeFileSync(join(directory, "nix-cache-info"), "StoreDir: /gnu/store\n");
  await fails("cache.store-directory", () => openStoreUrl(`file://${directory}`));
  using local = await openStoreUrl("./root", { cwd: directory });
  assert.is(await local.isValid("/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath), false);
});

test.run();
