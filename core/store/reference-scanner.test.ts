import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { BASE32_ALPHABET, concatBytes, utf8 } from "../base/index.ts";
import { ReferenceScanner, type StorePath } from "./index.ts";

const digit = fc.constantFrom(...BASE32_ALPHABET);
const digest = fc.string({ unit: digit, minLength: 32, maxLength: 32 });
const pathOf = (d: string): StorePath => `/nix/store/${d}-x` as StorePath;

function scan(candidates: StorePath[], pieces: Uint8Array[]): StorePath[] {
  const scanner = new ReferenceScanner(candidates);
  for (const piece of pieces) scanner.update(piece);
  return scanner.found();
}

test("a digest is found wherever it stands, across pieces of any size", () => {
  const noise = fc.oneof(fc.string({ unit: digit, maxLength: 40 }), fc.string({ maxLength: 40 }));
  fc.assert(
    fc.property(
      digest,
      digest,
      noise,
      noise,
      fc.integer({ min: 1, max: 50 }),
      (wanted, absent, before, after, size) => {
        const bytes = utf8(before + wanted + after);
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
        assert.equal(scan([pathOf(wanted), pathOf(absent)], pieces), [pathOf(wanted)]);
      },
    ),
  );
});

test("a digest with a character missing or changed is not found", () => {
  const wanted = "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0";
  assert.equal(scan([pathOf(wanted)], [utf8(wanted.slice(1)), utf8(`/${wanted.slice(0, 31)}`)]), []);
  assert.equal(scan([pathOf(wanted)], [utf8(wanted.replace("x", "e"))]), []);
});

test("many candidates in much noise", () => {
  const paths = Array.from({ length: 300 }, (_, i) => pathOf(`${i}`.padStart(32, "0").replace(/5/g, "w")));
  const noise = new Uint8Array(100_000).map((_, i) => (i * 2654435761) >>> 24);
  assert.equal(scan(paths, [noise, concatBytes(paths.slice(10, 20).map(utf8)), noise]), paths.slice(10, 20).sort());
});

test.run();
