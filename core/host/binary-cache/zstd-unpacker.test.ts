import { randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, equalBytes } from "../../base/index.ts";
import { ZstdUnpacker } from "./zstd-unpacker.ts";

/** All that an unpacker gives for pieces, or the code of its error. */
function unpack(pieces: readonly Uint8Array[], pieceBytes: number): Uint8Array | string {
  const unpacker = ZstdUnpacker.open(pieceBytes) as ZstdUnpacker;
  const parts: Uint8Array[] = [];
  try {
    for (const piece of pieces) for (const part of unpacker.push(piece)) parts.push(new Uint8Array(part));
    unpacker.finish();
    return concatBytes(parts);
  } catch (error) {
    return (error as CodedError).code;
  } finally {
    unpacker.close();
  }
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

test("ZstdUnpacker.open() knows the decoder of the Node that is pinned", () => {
  assert.ok(ZstdUnpacker.isAsExpected());
});

test("ZstdUnpacker gives back frames that follow each other, however they are cut", () => {
  const contents = fc.array(
    fc.uint8Array({ maxLength: 50 }).chain((unit) => fc.nat(3000).map((count) => [unit, count] as const)),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(
      contents,
      fc.integer({ min: 1, max: 70_000 }),
      fc.constantFrom(1, 300_000),
      (list, size, pieceBytes) => {
        const frames = list.map(([unit, count]) => concatBytes(Array.from({ length: count }, () => unit)));
        const packed = concatBytes(frames.map((frame) => new Uint8Array(zstdCompressSync(frame))));
        const found = unpack(cut(packed, size), pieceBytes);
        return typeof found !== "string" && equalBytes(found, concatBytes(frames));
      },
    ),
    { numRuns: 50 },
  );
});

test("ZstdUnpacker refuses what is no whole frame, and the next archive does not feel it", () => {
  const contents = randomBytes(20_000);
  const packed = new Uint8Array(zstdCompressSync(contents));
  for (const broken of [
    new Uint8Array(0),
    packed.subarray(0, 3),
    packed.subarray(0, -1),
    concatBytes([packed, Uint8Array.of(1)]),
    concatBytes([packed, packed.subarray(0, 100)]),
    randomBytes(50),
  ]) {
    for (const size of [7, 100_000]) assert.is(unpack(cut(broken, size), 1), "cache.compression-malformed");
    for (const size of [7, 100_000]) assert.equal(unpack(cut(packed, size), 1), new Uint8Array(contents));
  }
});

test("ZstdUnpacker gives memory again that was given before", () => {
  const unpacker = ZstdUnpacker.open(100_000) as ZstdUnpacker;
  const memory = new Set([...unpacker.push(zstdCompressSync(Buffer.alloc(1_000_000)))].map(({ buffer }) => buffer));
  assert.is(memory.size, 1);
  unpacker.close();
});

test.run();
