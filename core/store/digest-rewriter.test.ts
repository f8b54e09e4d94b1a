import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, fromUtf8, hashBytes, toBase16, toBase64, utf8 } from "../base/index.ts";
import {
  DigestRewriter,
  dumpNar,
  type NarNode,
  NarParser,
  type NarSink,
  RewritingSink,
  rewriteDigests,
  SelfHasher,
} from "./index.ts";

const A = "9jl1scgllqyc9rgas2nin6h2ypfbnw6d";
const B = "i1pyzmfbsqg5gw4v2wvz347liyg70war";
const C = "0".repeat(32);

function rewriteInPieces(bytes: Uint8Array, size: number, rewrites: ReadonlyMap<string, string>) {
  const rewriter = new DigestRewriter(rewrites);
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) out.push(rewriter.update(bytes.subarray(at, at + size)).slice());
  out.push(rewriter.finish());
  return { text: fromUtf8(concatBytes(out)), offsets: [...rewriter.offsets] };
}

test("DigestRewriter replaces digests in pieces of any size as in one", () => {
  const part = fc.oneof(
    fc.constantFrom(A, B, C, A.slice(0, 20), B.slice(5), "-", "x", "/nix/store/", "E"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(part), fc.integer({ min: 1, max: 70 }), (parts, size) => {
      const text = fromUtf8(utf8(parts.join("")));
      const rewrites = new Map([
        [A, B],
        [B, A],
      ]);
      const found = rewriteInPieces(utf8(text), size, rewrites);
      const pattern = new RegExp(`${A}|${B}`, "g");
      assert.is(
        found.text,
        text.replace(pattern, (digest) => rewrites.get(digest) as string),
      );
      const offsets = [...text.matchAll(pattern)].map((m) => utf8(text.slice(0, m.index)).length);
      assert.equal(found.offsets, offsets);
    }),
  );
});

test("DigestRewriter finds what begins inside a longer run of symbols, and does not look at what it put in", () => {
  const text = `00${A}11${C}${C}0`;
  const found = rewriteInPieces(
    utf8(text),
    7,
    new Map([
      [A, C],
      [C, A],
    ]),
  );
  assert.is(found.text, `00${C}11${A}${A}0`);
  assert.equal(found.offsets, [2, 36, 68]);
});

test("rewriteDigests() lets two digests take each other's place", () => {
  const swap = new Map([
    [A, B],
    [B, A],
  ]);
  assert.is(rewriteDigests(`${A}/${B}-x`, swap), `${B}/${A}-x`);
  assert.is(rewriteDigests(`${A}/x`, new Map()), `${A}/x`);
});

test("SelfHasher counts the own digest as zeros and hashes where it was", () => {
  // shared vectors content-addressed.json, self.out (Nix 2.8.0)
  const path = `/nix/store/${A}-ca-self-one`;
  const entries = new Map<string, NarNode>([
    ["f", { type: "regular", executable: false, contents: utf8(`${path}/x ${path}/y\n`) }],
    ["l", { type: "symlink", target: `${path}/f` }],
  ]);
  for (const size of [1, 31, 1000]) {
    const hasher = new SelfHasher("sha256", A);
    const nar = concatBytes(dumpNar({ type: "directory", entries }));
    for (let at = 0; at < nar.length; at += size) hasher.update(nar.subarray(at, at + size));
    const { hash, offsets } = hasher.digest();
    assert.is(toBase16(hash.digest), "7bf99b45ace2be630dfa06a55ca832b0081b47dd76ad0b7d89f6ea59fc9e5250");
    assert.equal(offsets, [243, 301, 547]);
  }
});

test("SelfHasher gives what mentions nothing its plain hash", () => {
  const hasher = new SelfHasher("sha1", A);
  hasher.update(utf8("abc"));
  assert.is(toBase64(hasher.digest().hash.digest), toBase64(hashBytes("sha1", "abc").digest));
});

test("RewritingSink rewrites names, targets and contents", () => {
  const told: string[] = [];
  const sink: NarSink = {
    directory: (path) => told.push(`directory ${path}`),
    endDirectory: (path) => told.push(`end ${path}`),
    file: (path, { executable }) => told.push(`file ${path} ${executable}`),
    data: (chunk) => told.push(fromUtf8(chunk)),
    endFile: (path) => told.push(`closed ${path}`),
    symlink: (path, target) => told.push(`link ${path} ${target}`),
  };
  const file = (text: string): NarNode => ({ type: "regular", executable: true, contents: utf8(text) });
  const nar = concatBytes(
    dumpNar({
      type: "directory",
      entries: new Map<string, NarNode>([
        [A, { type: "directory", entries: new Map([["f", file(`see ${A}!`)]]) }],
        ["l", { type: "symlink", target: `../${A}-x` }],
      ]),
    }),
  );
  const parser = new NarParser(new RewritingSink(sink, new Map([[A, B]])));
  parser.push(nar);
  parser.finish();
  assert.is(
    told.join("|"),
    `directory |directory ${B}|file ${B}/f true|see ${B}|!|closed ${B}/f|end ${B}|link l ../${B}-x|end `,
  );
});

test.run();
