import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, hashBytes, utf8 } from "../base/index.ts";
import {
  ContentCheck,
  type ContentAddress,
  dumpFileNar,
  dumpNar,
  formatContentAddress,
  makeContentAddressedPath,
  type PathInfo,
  SelfHasher,
  storePathDigest,
} from "./index.ts";

function infoOf(address: ContentAddress, nar: Uint8Array): PathInfo {
  return {
    path: makeContentAddressedPath("x", address),
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
    references: [],
    signatures: [],
    ca: formatContentAddress(address),
  };
}

async function pass(info: PathInfo, nar: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < nar.length; at += 50) yield nar.subarray(at, at + 50);
  }
  const check = new ContentCheck(info);
  for await (const piece of check.watch(pieces())) parts.push(piece);
  check.finish(hashBytes("sha256", nar));
  return concatBytes(parts);
}

async function refuses(info: PathInfo, nar: Uint8Array): Promise<void> {
  try {
    await pass(info, nar);
  } catch (error) {
    assert.is((error as CodedError).code, "store.content-address-mismatch");
    return;
  }
  assert.unreachable("expected store.content-address-mismatch");
}

test("ContentCheck passes on what has the hash that is claimed", async () => {
  const contents = utf8("some contents");
  const nar = dumpFileNar(contents);
  for (const algorithm of ["sha256", "sha1"] as const) {
    for (const address of [
      { method: "flat", hash: hashBytes(algorithm, contents) },
      { method: "recursive", hash: hashBytes(algorithm, nar) },
    ] as const) {
      assert.equal(await pass(infoOf(address, nar), nar), nar);
    }
  }
  assert.equal(await pass(infoOf({ method: "text", hash: hashBytes("sha256", contents) }, nar), nar), nar);
  assert.equal(await pass({ ...infoOf({ method: "flat", hash: hashBytes("md5", "") }, nar), ca: undefined }, nar), nar);
});

test("ContentCheck takes the own digest as zero bytes where an object refers to itself", async () => {
  // The path depends on the hash, the hash does not depend on the path: any path of this length gives the same one.
  const narFor = (own: string) => dumpFileNar(utf8(`I am ${own}-x, and ${own} again`));
  const scratch = "0".repeat(32);
  const hasher = new SelfHasher("sha256", scratch);
  hasher.update(narFor(scratch));
  const address = { method: "recursive", hash: hasher.digest().hash } as const;
  const path = makeContentAddressedPath("x", address, { self: true });
  const nar = narFor(storePathDigest(path));
  const info = { ...infoOf(address, nar), path, references: [path] };
  assert.equal(await pass(info, nar), nar);
  await refuses(info, dumpFileNar(utf8(`I am ${storePathDigest(path)}-x, and ${storePathDigest(path)} agree`)));
});

test("ContentCheck refuses other contents, and what is no single file", async () => {
  const nar = dumpFileNar(utf8("other"));
  const hash = hashBytes("sha256", "some contents");
  for (const method of ["flat", "text", "recursive"] as const) await refuses(infoOf({ method, hash }, nar), nar);
  const empty = hashBytes("sha256", "");
  const directory = concatBytes(dumpNar({ type: "directory", entries: new Map() }));
  await refuses(infoOf({ method: "flat", hash: empty }, directory), directory);
  const program = dumpFileNar(new Uint8Array(0), true);
  await refuses(infoOf({ method: "text", hash: empty }, program), program);
});

test.run();
