import { test } from "uvu";
import * as assert from "uvu/assert";
import { pack } from "tar-stream";
import type { CodedError } from "../../base/index.ts";
import { gather as gatherUpTo, limited, withShortFacts } from "./limits.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function gather(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of from) all.push(piece);
  return Buffer.concat(all);
}

async function code(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: CodedError) => error.code,
  );
}

test("limited() gives everything up to the limit, and ends at once beyond it", async () => {
  const bytes = Buffer.alloc(1000, 7);
  assert.ok((await gather(limited(pieces(bytes, 7), 1000, "it"))).equals(bytes));
  assert.is(await code(gather(limited(pieces(bytes, 7), 999, "it"))), "fetch.too-large");
});

test("gather() gives nothing beyond its limit", async () => {
  const bytes = Buffer.alloc(1000, 7);
  assert.ok((await gatherUpTo(pieces(bytes, 7), 1000))?.equals(bytes));
  assert.is(await gatherUpTo(pieces(bytes, 7), 999), undefined);
});

test("withShortFacts() passes an archive on, with long names in it", async () => {
  const archive = pack();
  archive.entry({ name: "n".repeat(5000) }, "contents");
  archive.entry({ name: "b", size: 3000 }, "x".repeat(3000));
  archive.finalize();
  const bytes = await gather(archive as AsyncIterable<Uint8Array>);
  for (const size of [1, 511, 512, 100_000])
    assert.ok((await gather(withShortFacts(pieces(bytes, size), "it"))).equals(bytes));
});

test("withShortFacts() refuses facts of a gigabyte", async () => {
  for (const [type, size] of [
    ["x", "10000000000"],
    ["L", "\x80\0\0\0\0\0\0\x01\0\0\0\0"],
  ] as const) {
    const header = Buffer.alloc(512);
    header.write(size, 124, "latin1");
    header.write(type, 156);
    assert.is(await code(gather(withShortFacts(pieces(header, 100), "it"))), "fetch.bad-archive");
  }
});

test.run();
