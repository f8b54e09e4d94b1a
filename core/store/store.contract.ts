import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, formatHash, hashBytes, utf8 } from "../base/index.ts";
import {
  dumpNar,
  formatContentAddress,
  makeSourcePath,
  makeTextPath,
  type NarNode,
  type PathInfo,
  type Awaitable,
  type StoreGraph,
  type StorePath,
  type StoreQueries,
  type StoreReader,
  type StoreWriter,
  storePathDigest,
} from "./index.ts";

/** A store that can be read and written; what one cannot tell (who refers to whom, which path has a digest) it leaves out. */
export type TestedStore = Omit<StoreQueries, "queryByDigest"> &
  StoreReader &
  StoreWriter &
  Pick<StoreGraph, "closure"> &
  Partial<Pick<StoreGraph, "queryReferrers"> & Pick<StoreQueries, "queryByDigest">>;

export interface OpenedStore {
  readonly store: TestedStore;
  close(): Awaitable<void>;
}

/**
 * What every store keeps. A backend's test file calls this once and then runs its own tests. What a store has no capability
 * for is not asked.
 *
 * @param open Gives an empty store.
 */
export function describeStore(name: string, open: () => Awaitable<OpenedStore>): void {
  const test = suite<{ opened: OpenedStore }>(name);
  test.before.each(async (context) => {
    context.opened = await open();
  });
  test.after.each(({ opened }) => opened.close());

  test("an added text is valid and has the facts Nix gives it", async ({ opened: { store } }) => {
    const path = await store.addText("foo", "bar", []);
    // Nix 2.8: builtins.toFile "foo" "bar"; nix hash path on a file with "bar"
    assert.is(path, "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo");
    assert.ok(await store.isValid(path));
    const info = (await store.queryPathInfo(path)) as PathInfo;
    assert.is(formatHash(info.narHash, "sri"), "sha256-v99DtL7wY23pozQiKq4pK76RH8H7O4kV82q32XRlz/Y=");
    assert.equal([info.narSize, info.references, info.signatures], [120, [], []]);
    assert.is(info.ca, formatContentAddress({ method: "text", hash: hashBytes("sha256", "bar") }));
    if (store.queryByDigest !== undefined) assert.is(await store.queryByDigest(storePathDigest(path)), path);
  });

  test("what was never added is not there", async ({ opened: { store } }) => {
    const path = makeTextPath("absent", "", []);
    assert.is(await store.isValid(path), false);
    assert.is(await store.queryPathInfo(path), undefined);
    if (store.queryByDigest !== undefined) assert.is(await store.queryByDigest(storePathDigest(path)), undefined);
    if (store.queryReferrers !== undefined) assert.equal(await store.queryReferrers(path), []);
    await refuses("store.not-valid", async () => store.closure([path]));
    await refuses("store.not-valid", () => drain(store, path));
  });

  test("adding twice changes nothing", async ({ opened: { store } }) => {
    const path = await store.addText("twice", "x", []);
    const before = await store.queryPathInfo(path);
    assert.is(await store.addText("twice", "x", []), path);
    assert.equal(await store.queryPathInfo(path), before);
  });

  test("references, referrers and closures", async ({ opened: { store } }) => {
    const a = await store.addText("a", "a", []);
    const b = await store.addText("b", a, [a]);
    const c = await store.addText("c", b, [b, a]);
    assert.equal((await store.queryPathInfo(c))?.references, [a, b].sort());
    if (store.queryReferrers !== undefined) assert.equal(await store.queryReferrers(a), [b, c].sort());
    assert.equal(await store.closure([c]), [a, b, c]);
    const closure = await store.closure([c]);
    assert.equal(await store.closure(closure), closure);
  });

  test("an object whose references are not valid stays outside", async ({ opened: { store } }) => {
    const absent = makeTextPath("absent", "", []);
    await refuses("store.reference-not-valid", async () => store.addText("b", absent, [absent]));
    assert.is(await store.isValid(makeTextPath("b", absent, [absent])), false);
  });

  test("an imported tree comes out as it went in", async ({ opened: { store } }) => {
    const { info, nar } = sample();
    await store.importNar(info, pieces(nar, 7));
    const stored = (await store.queryPathInfo(info.path)) as PathInfo;
    assert.equal(stored.narHash, info.narHash);
    assert.equal(stored.signatures, info.signatures);
    assert.is(stored.deriver, info.deriver);
    assert.equal(concatBytes([await drain(store, info.path)]), nar);
  });

  test("a tree that refers to itself is its own referrer", async ({ opened: { store } }) => {
    const { info, nar } = sample();
    const own = { ...info, ca: undefined, references: [info.path] };
    await store.importNar(own, pieces(nar, 64));
    assert.equal((await store.queryPathInfo(info.path))?.references, [info.path]);
    if (store.queryReferrers !== undefined) assert.equal(await store.queryReferrers(info.path), [info.path]);
    assert.equal(await store.closure([info.path]), [info.path]);
  });

  test("an archive with another hash, or none at all, is refused", async ({ opened: { store } }) => {
    const { info, nar } = sample();
    await refuses("store.nar-mismatch", () =>
      store.importNar({ ...info, narHash: hashBytes("sha256", "other") }, pieces(nar, 64)),
    );
    await refuses("store.nar-mismatch", () => store.importNar({ ...info, narSize: 8 }, pieces(nar, 64)));
    await refuses("nar.malformed", () => store.importNar(info, pieces(nar.subarray(0, 100), 64)));
    assert.is(await store.isValid(info.path), false);
    await store.importNar(info, pieces(nar, 64));
    assert.is(await store.isValid(info.path), true);
  });

  test("a content address that belongs to another path is refused", async ({ opened: { store } }) => {
    const { info, nar } = sample();
    const ca = formatContentAddress({ method: "recursive", hash: hashBytes("sha256", "other") });
    await refuses("store.content-address-mismatch", () => store.importNar({ ...info, ca }, pieces(nar, 64)));
    assert.is(await store.isValid(info.path), false);
  });

  test("contents that are not those of the content address are refused", async ({ opened: { store } }) => {
    const { info, nar } = sample();
    // The path and the address fit each other; the archive is another one, with its true hash.
    const hash = hashBytes("sha256", "other");
    const path = makeSourcePath("sample", hash);
    const ca = formatContentAddress({ method: "recursive", hash });
    await refuses("store.content-address-mismatch", () => store.importNar({ ...info, path, ca }, pieces(nar, 64)));
    assert.is(await store.isValid(path), false);
  });

  test.run();
}

function sample(): { info: PathInfo; nar: Uint8Array } {
  const tree: NarNode = {
    type: "directory",
    entries: new Map<string, NarNode>([
      [
        "bin",
        {
          type: "directory",
          entries: new Map([["tool", { type: "regular", executable: true, contents: utf8("#!/bin/sh\n") }]]),
        },
      ],
      ["empty", { type: "directory", entries: new Map() }],
      ["link", { type: "symlink", target: "bin/tool" }],
      ["caf\uDCE9", { type: "regular", executable: false, contents: new Uint8Array(0) }],
    ]),
  };
  const nar = concatBytes(dumpNar(tree));
  const narHash = hashBytes("sha256", nar);
  const info: PathInfo = {
    path: makeSourcePath("sample", narHash),
    narHash,
    narSize: nar.length,
    references: [],
    deriver: "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo.drv" as StorePath,
    signatures: ["key-1:c2lnbmF0dXJl"],
    ca: formatContentAddress({ method: "recursive", hash: narHash }),
  };
  return { info, nar };
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function drain(store: StoreReader, path: StorePath): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of store.readNar(path)) parts.push(piece);
  return concatBytes(parts);
}

async function refuses(code: string, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code);
    return;
  }
  assert.unreachable(`expected ${code}`);
}
