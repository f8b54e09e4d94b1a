import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decompress } from "./decompress.ts";
import { compressInFrames, FRAME_BYTES } from "./zstd-frames.ts";

async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(new Uint8Array(piece));
  return Buffer.concat(all);
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test("compressInFrames() makes the same frames however the contents come, and decompress() gives them back", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 100 }), async (bytes, size) => {
      const packed = await gather(compressInFrames(cut(bytes, size), 3, 64));
      assert.ok(packed.equals(await gather(compressInFrames(cut(bytes, 300), 3, 64))));
      assert.ok((await gather(decompress(cut(packed, size), "zstd", bytes.length))).equals(bytes));
    }),
    { numRuns: 200 },
  );
});

test("compressInFrames() puts 16 MiB into each frame, and each can be unpacked by itself", async () => {
  const contents = Buffer.concat([randomBytes(1_000_000), Buffer.alloc(2 * FRAME_BYTES)]);
  const packed = await gather(compressInFrames(cut(contents, 300_000), 3));
  let at = 0;
  for (let from = 0; from < contents.length; from += FRAME_BYTES) {
    const frame = contents.subarray(from, from + FRAME_BYTES);
    const { length } = zstdCompressSync(frame, { params: {} });
    // The frame alone, found by where the next one begins.
    const next = packed.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), at + Math.floor(length / 2));
    const own = packed.subarray(at, next < 0 ? packed.length : next);
    assert.ok(zstdDecompressSync(own).equals(frame));
    at += own.length;
  }
  assert.is(at, packed.length);
});

test("compressInFrames() gives frames while its source is slow", async () => {
  let given = 0;
  const frames = availableParallelism() + 4;
  async function* slow(): AsyncGenerator<Uint8Array> {
    for (; given < frames; given++) {
      yield randomBytes(64);
      await sleep(5);
    }
  }
  for await (const _ of compressInFrames(slow(), 3, 64)) {
    assert.ok(given < frames - 1, `all ${given} frames were read first`);
    break;
  }
});

test("compressInFrames() ends with what its source ends with", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(200);
    throw new Error("the source is gone");
  }
  try {
    await gather(compressInFrames(broken(), 3, 64));
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "the source is gone");
  }
});

test.run();
