import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, formatHash, fromUtf8, hashBytes, toBase64, utf8 } from "../base/index.ts";
import {
  dumpFileNar,
  dumpNar,
  NAR_TOKENS,
  NarLister,
  type NarListing,
  type NarNode,
  NarParser,
  narLength,
  narString,
  parseNar,
} from "./index.ts";
import { anyTree } from "./testing.ts";

const narOf = (node: NarNode): Uint8Array => concatBytes(dumpNar(node));
const refuses = (bytes: Uint8Array): void =>
  assert.throws(
    () => parseNar(bytes),
    (error: CodedError) => error.code === "nar.malformed",
  );

test("parseNar() reads what dumpNar() writes", () => {
  fc.assert(fc.property(anyTree, (node) => toBase64(narOf(parseNar(narOf(node)))) === toBase64(narOf(node))));
});

test("NarParser reads an archive in pieces of any size", () => {
  fc.assert(
    fc.property(anyTree, fc.integer({ min: 1, max: 9 }), (node, size) => {
      const nar = narOf(node);
      const whole = collect([nar]);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < nar.length; at += size) pieces.push(nar.subarray(at, at + size));
      assert.equal(collect(pieces), whole);
    }),
    { numRuns: 50 },
  );
});

/** What a sink is told, with contents joined. */
function collect(pieces: Uint8Array[]): string[] {
  const told: string[] = [];
  let contents: number[] = [];
  const parser = new NarParser({
    directory: (path) => told.push(`directory ${path}`),
    endDirectory: (path) => told.push(`end ${path}`),
    file: (path, { executable, size, offset }) => told.push(`file ${path} ${executable} ${size} ${offset}`),
    data: (chunk) => contents.push(...chunk),
    endFile: () => {
      told.push(contents.join());
      contents = [];
    },
    symlink: (path, target) => told.push(`link ${path} ${target}`),
  });
  for (const piece of pieces) parser.push(piece);
  parser.finish();
  return told;
}

test("dumpFileNar() has the hash and size Nix gives a file", () => {
  // shared vectors nar.json: regular-len-0
  const nar = dumpFileNar(new Uint8Array(0));
  assert.is(nar.length, 112);
  assert.is(formatHash(hashBytes("sha256", nar), "base32"), "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p");
});

test("push() leaves bytes after the archive alone", () => {
  const nar = dumpFileNar(utf8("x"));
  const parser = new NarParser({ directory() {}, endDirectory() {}, file() {}, data() {}, endFile() {}, symlink() {} });
  assert.is(parser.push(concatBytes([nar, Uint8Array.of(1, 2, 3)])), nar.length);
  assert.ok(parser.done);
});

test("the reader refuses what a strict reader must", () => {
  const file = (contents: string): Uint8Array => concatBytes([NAR_TOKENS.file, narString(contents), NAR_TOKENS.close]);
  const directory = (...names: string[]): Uint8Array =>
    concatBytes([
      NAR_TOKENS.start,
      NAR_TOKENS.directory,
      ...names.flatMap((n) => [NAR_TOKENS.entry, narString(n), NAR_TOKENS.node, file(""), NAR_TOKENS.close]),
      NAR_TOKENS.close,
    ]);
  parseNar(directory("a", "b"));
  for (const names of [["b", "a"], ["a", "a"], [".."], ["."], [""], ["a/b"], ["a\0"], ["x".repeat(256)]])
    refuses(directory(...names));
  const good = dumpFileNar(utf8("x"));
  refuses(good.subarray(0, -1));
  refuses(new Uint8Array(0));
  refuses(concatBytes([good, new Uint8Array(8)]));
  refuses(concatBytes([narString("nix-archive-2"), good.subarray(24)]));
  const dirty = good.slice();
  dirty[good.length - 17] = 1; // padding of the contents
  refuses(dirty);
  // A length nobody could hold: refused before anything is allocated.
  refuses(concatBytes([NAR_TOKENS.start, narString("("), narLength(2 ** 52)]));
});

test("the reader refuses paths that no file system can name, and reads the deepest that one can", () => {
  const nested = (depth: number): Uint8Array => {
    const open = [NAR_TOKENS.directory, NAR_TOKENS.entry, narString("d"), NAR_TOKENS.node];
    return concatBytes([
      NAR_TOKENS.start,
      ...Array.from({ length: depth }, () => open).flat(),
      NAR_TOKENS.directory,
      NAR_TOKENS.close,
      ...Array.from({ length: 2 * depth }, () => NAR_TOKENS.close),
    ]);
  };
  const deepest = nested(2048);
  assert.is(toBase64(narOf(parseNar(deepest))), toBase64(deepest));
  const lister = new NarLister();
  lister.push(deepest);
  assert.ok(JSON.stringify(lister.finish()).length > 2048);
  refuses(nested(2049));
});

test("NarLister lists every tree, and its offsets are where the contents lie", () => {
  fc.assert(
    fc.property(anyTree, (node) => {
      const nar = narOf(node);
      const lister = new NarLister();
      lister.push(nar);
      const check = (listing: NarListing, tree: NarNode): void => {
        assert.is(listing.type, tree.type);
        if (listing.type === "regular" && tree.type === "regular") {
          assert.is(listing.executable === true, tree.executable);
          const { narOffset, size } = listing;
          assert.equal(nar.slice(narOffset, narOffset + size), tree.contents);
        } else if (listing.type === "symlink" && tree.type === "symlink") assert.is(listing.target, tree.target);
        else if (listing.type === "directory" && tree.type === "directory") {
          assert.equal(new Set(Object.keys(listing.entries)), new Set(tree.entries.keys()));
          for (const [name, child] of tree.entries) check(listing.entries[name] as NarListing, child);
        }
      };
      check(lister.finish(), node);
    }),
  );
});

test("NarLister lists with offsets of contents", () => {
  const nar = narOf({
    type: "directory",
    entries: new Map<string, NarNode>([
      ["f", { type: "regular", executable: true, contents: utf8("hello") }],
      ["l", { type: "symlink", target: "f" }],
    ]),
  });
  const lister = new NarLister();
  lister.push(nar);
  const listing = lister.finish();
  const at = fromUtf8(nar).indexOf("hello");
  assert.equal(listing, {
    type: "directory",
    entries: { f: { type: "regular", size: 5, executable: true, narOffset: at }, l: { type: "symlink", target: "f" } },
  });
});

test.run();
