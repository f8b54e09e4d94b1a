import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decompressXz } from "./xz.ts";

const test = suite("decompressXz()");

const CONTENT = Buffer.concat([randomBytes(500_000), Buffer.alloc(1_000_000, "floe")]);
const packed = spawnSync("xz", ["-c"], { input: CONTENT, maxBuffer: 1 << 24 });
const packing = packed.status === 0 ? test : test.skip;
if (packed.status !== 0) console.log("skipped: xz is not on the PATH, so there is nothing to unpack");

/** Pieces that note when nobody wants more of them, or that fail half-way. */
function source(failAt = Number.POSITIVE_INFINITY): { ended: boolean; pieces: AsyncGenerator<Uint8Array> } {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < packed.stdout.length; at += 10_000) {
        if (at >= failAt) throw new Error("the line broke");
        yield packed.stdout.subarray(at, at + 10_000);
      }
    } finally {
      state.ended = true;
    }
  }
  const state = { ended: false, pieces: pieces() };
  return state;
}

packing("gives the contents as they come", async () => {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompressXz(source().pieces)) pieces.push(piece as Uint8Array);
  assert.ok(Buffer.concat(pieces).equals(CONTENT));
});

packing("may be given up half-way, and lets its source go", async () => {
  for (const giveUp of ["break", "destroy", "fail"] as const) {
    const from = source();
    const plain = decompressXz(from.pieces);
    plain.on("error", () => {});
    for await (const piece of plain) {
      assert.ok((piece as Uint8Array).length > 0);
      if (giveUp === "break") break;
      plain.destroy(giveUp === "fail" ? new Error("enough") : undefined);
      break;
    }
    for (let waited = 0; !from.ended && waited < 2000; waited += 10) await pause(10);
    assert.ok(from.ended, giveUp);
  }
});

packing("passes on what is wrong with its source or its data", async () => {
  const read = async (pieces: AsyncIterable<Uint8Array>): Promise<string> => {
    try {
      for await (const _ of decompressXz(pieces));
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.is(await read(source(30_000).pieces), "the line broke");
  async function* damaged(): AsyncGenerator<Uint8Array> {
    const bytes = Buffer.from(packed.stdout);
    bytes.fill(7, 100_000, 100_100);
    yield bytes;
  }
  assert.is.not(await read(damaged()), "");
});

test.run();
