import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, hashBytes, sortedText, toBase64, utf8 } from "../base/index.ts";
import {
  dumpNar,
  exportOrder,
  exportPaths,
  importPaths,
  makeMemorySpool,
  MemoryStore,
  narLength,
  narString,
  type PathInfo,
  readExport,
  type StorePath,
} from "./index.ts";
import { anyStorePath, anyTree } from "./testing.ts";
import { WireReader } from "./wire/index.ts";

// shared vectors export.json, single-no-references (Nix 2.8.0: nix-store --export)
const PATH = "/nix/store/2b3r1faw83dln00pq53dmccl6ri3wvxi-libalpha-1.0" as StorePath;
const DERIVER = "/nix/store/jw9hrs1yk9865ddd96cdhfw1q74f2vsv-libalpha-1.0.drv" as StorePath;
const NAR = concatBytes(
  dumpNar({
    type: "directory",
    entries: new Map([["lib", { type: "regular", executable: false, contents: utf8("lib\n") }]]),
  }),
);
const STREAM_SHA256 = "hVoSYFQz+tK6miOPE34JQ4EjtRJkHvbBvEpI1eZ20Yc=";

async function* pieces(bytes: Uint8Array, size = 13): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return concatBytes(parts);
}

const infoOf = (path: StorePath, nar: Uint8Array, rest: Partial<PathInfo> = {}): PathInfo => ({
  path,
  narHash: hashBytes("sha256", nar),
  narSize: nar.length,
  references: [],
  signatures: [],
  ...rest,
});

async function storeWithOne(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.importNar(infoOf(PATH, NAR, { deriver: DERIVER }), pieces(NAR));
  return store;
}

const importInto = (store: MemoryStore, stream: Uint8Array, size?: number): Promise<StorePath[]> =>
  importPaths(store, new WireReader(pieces(stream, size)), makeMemorySpool());

async function failsWith(code: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test("exportPaths() writes the stream that Nix writes", async () => {
  const stream = await collect(exportPaths(await storeWithOne(), [PATH]));
  assert.is(toBase64(hashBytes("sha256", stream).digest), STREAM_SHA256);
});

test("importPaths() takes in what exportPaths() gives out", async () => {
  const objects = fc.uniqueArray(
    fc.tuple(anyStorePath, anyTree, fc.option(anyStorePath, { nil: undefined }), fc.nat()),
    {
      maxLength: 5,
      selector: ([path]) => path,
    },
  );
  await fc.assert(
    fc.asyncProperty(objects, fc.integer({ min: 1, max: 99 }), async (made, size) => {
      const from = new MemoryStore();
      const known: StorePath[] = [];
      for (const [path, tree, deriver, pick] of made) {
        const nar = concatBytes(dumpNar(tree));
        known.push(path);
        // Some of the objects before it, and perhaps itself.
        const references = sortedText(known.filter((_, i) => (pick >> i) & 1)) as StorePath[];
        await from.importNar(
          infoOf(path, nar, { references, ...(deriver === undefined ? {} : { deriver }) }),
          pieces(nar),
        );
      }
      const stream = await collect(exportPaths(from, known));
      const to = new MemoryStore();
      const order = await importInto(to, stream, size);
      assert.equal(
        order,
        exportOrder(known, (path) => from.queryPathInfo(path)?.references ?? []),
      );
      for (const path of known) assert.equal(to.queryPathInfo(path), from.queryPathInfo(path));
      assert.is(toBase64(await collect(exportPaths(to, known.toReversed()))), toBase64(stream));
    }),
    { numRuns: 60 },
  );
});

test("exportOrder() puts references first and leaves out edges to other objects", () => {
  const at = (name: string) => `/nix/store/${"0".repeat(32)}-${name}` as StorePath;
  const references = new Map([
    [at("a"), [at("c"), at("outside")]],
    [at("b"), [at("b")]],
    [at("c"), [at("b")]],
  ]);
  assert.equal(
    exportOrder([at("c"), at("a"), at("b")], (path) => references.get(path) ?? []),
    [at("b"), at("c"), at("a")],
  );
});

test("exportPaths() breaks off where an archive is not what the store says", async () => {
  const store = await storeWithOne();
  const lying = { ...infoOf(PATH, utf8("x")) };
  const liar = {
    storeDirectory: store.storeDirectory,
    isValid: () => true,
    queryPathInfo: () => lying,
    queryByDigest: () => undefined,
    readNar: () => pieces(NAR),
  };
  await failsWith("store.nar-mismatch", () => collect(exportPaths(liar, [PATH])));
  await failsWith("store.not-valid", () => collect(exportPaths(new MemoryStore(), [PATH])));
});

test("readExport() refuses what Nix refuses, and what a strict reader must", async () => {
  const stream = await collect(exportPaths(await storeWithOne(), [PATH]));
  const afterNar = 8 + NAR.length;
  const changed = (at: number, value: number): Uint8Array => {
    const bytes = stream.slice();
    bytes[at] = value;
    return bytes;
  };
  const read = async (bytes: Uint8Array): Promise<number> => {
    let objects = 0;
    for await (const { kind } of readExport(new WireReader(pieces(bytes)))) if (kind === "object") objects++;
    return objects;
  };
  assert.is(await read(stream), 1);
  assert.is(await read(concatBytes([stream, utf8("after")])), 1);
  assert.is(await read(narLength(0)), 0);
  const signed = concatBytes([stream.subarray(0, -16), narLength(1), narString("old signature"), narLength(0)]);
  assert.is(await read(signed), 1);
  await failsWith("export.malformed", () => read(new Uint8Array(0)));
  await failsWith("export.malformed", () => read(changed(0, 2)));
  await failsWith("export.malformed", () => read(stream.subarray(0, -8)));
  await failsWith("export.malformed", () => read(changed(afterNar, 0)));
  await failsWith("export.malformed", () => read(changed(stream.length - 16, 2)));
  await failsWith("nar.malformed", () => read(changed(8, 12)));
  await failsWith("store-path.outside", () => read(changed(afterNar + 16, 0x2e)));
});

test("importPaths() keeps what came before a fault", async () => {
  const stream = await collect(exportPaths(await storeWithOne(), [PATH]));
  const store = new MemoryStore();
  await failsWith("export.malformed", () => importInto(store, stream.subarray(0, -8)));
  assert.ok(store.isValid(PATH));
  assert.equal(await importInto(store, stream), [PATH]);
});

test.run();
