import { spawnSync } from "node:child_process";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../base/index.ts";
import { checkPack, type PackLimits } from "./check-pack.ts";
import { TestRepository, temporaryFolder } from "./testing.ts";

/** An object: its type, the size it says, and its contents. */
type Entry = readonly [type: number, sizeBytes: number, contents: Uint8Array, before?: readonly number[]];

function packOf(...entries: readonly Entry[]): Buffer {
  const header = Buffer.alloc(12);
  header.write("PACK");
  header.writeUInt32BE(2, 4);
  header.writeUInt32BE(entries.length, 8);
  const parts = entries.flatMap(([type, sizeBytes, contents, before = []]) => {
    const bytes = [(type << 4) | (sizeBytes & 15)];
    for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
      bytes.push((bytes.pop() as number) | 0x80, rest & 0x7f);
    }
    return [Buffer.from([...bytes, ...before]), deflateSync(contents)];
  });
  return Buffer.concat([header, ...parts, Buffer.alloc(20)]);
}

function codeOf(pack: Uint8Array, limits?: PackLimits): string {
  try {
    checkPack(pack, limits);
    return "good";
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    assert.ok(error.hint !== undefined, error.code);
    return error.code;
  }
}

const BLOB = 3;

test("checkPack() takes what git makes, differences among it", () => {
  const repository = new TestRepository(`${temporaryFolder()}/r`);
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i} of a file\n`);
  repository.write({ a: lines.join(""), b: "", "c/d": "x".repeat(100_000) }).commit();
  repository.write({ a: lines.slice(5).join("") }).commit();
  for (const more of [[], ["--delta-base-offset"]]) {
    const { stdout, status } = spawnSync("git", ["pack-objects", "--revs", "--stdout", "--quiet", ...more], {
      cwd: repository.folder,
      input: "HEAD\n",
      maxBuffer: 1 << 26,
    });
    assert.is(status, 0);
    assert.is(codeOf(stdout), "good");
    assert.is(codeOf(stdout, { bytes: 100_000 }), "git.too-large");
    assert.is(codeOf(stdout, { objectBytes: 99_999 }), "git.too-large");
  }
});

test("checkPack() refuses what unfolds to more than it may or says: git.too-large, git.malformed-pack", () => {
  const zeros = new Uint8Array(50_000_000);
  assert.is(codeOf(packOf([BLOB, zeros.length, zeros])), "good");
  assert.is(codeOf(packOf([BLOB, zeros.length, zeros]), { objectBytes: 1_000_000 }), "git.too-large");
  assert.is(codeOf(packOf([BLOB, 10, zeros])), "git.malformed-pack");
  assert.is(codeOf(packOf([BLOB, 10, new Uint8Array(9)])), "git.malformed-pack");
  // 2^40 bytes out of a dozen, by copying.
  const difference = Uint8Array.from([1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]);
  assert.is(codeOf(packOf([6, difference.length, difference, [1]])), "git.too-large");
  assert.is(codeOf(packOf([7, difference.length, difference, Array<number>(20).fill(7)])), "git.too-large");
  // Sizes of more digits than numbers have: infinitely often nothing is no number.
  const digits = [...Array<number>(199).fill(0x80), 0];
  const endless = Uint8Array.from([1, ...digits]);
  assert.is(codeOf(packOf([6, endless.length, endless, [1]])), "git.too-large");
  const bomb = packOf([BLOB, 16, zeros]);
  assert.is(codeOf(Buffer.concat([bomb.subarray(0, 13), Buffer.from(digits), bomb.subarray(14)])), "git.too-large");
  assert.is(codeOf(packOf([6, 1, Uint8Array.from([0x80]), [1]])), "git.malformed-pack");
  assert.is(codeOf(new Uint8Array(40)), "git.malformed-pack");
  const one: Entry = [BLOB, 5, Buffer.from("words")];
  const more = packOf(one);
  more.writeUInt32BE(2, 8);
  assert.is(codeOf(more), "git.malformed-pack");
});

test("checkPack() raises nothing but its own errors, whatever it is given", () => {
  const good = packOf([BLOB, 5, Buffer.from("words")], [6, 3, Uint8Array.from([5, 5, 0x90]), [20]]);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
      fc.nat(good.length),
      (edits, cut) => {
        const broken = Buffer.from(good.subarray(0, cut));
        for (const [at, byte] of edits) if (at < broken.length) broken[at] = byte;
        codeOf(broken, { bytes: 10_000_000 });
      },
    ),
    { numRuns: 3000 },
  );
});

test.run();
