import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, formatHash, type Hash, utf8 } from "../base/index.ts";
import {
  dumpNar,
  fitsMethod,
  formatContentAddress,
  GitHasher,
  gitHasher,
  makeContentAddressedPath,
  type NarNode,
  parseAddressMethod,
  parseContentAddress,
} from "./index.ts";
import { anyTree } from "./testing.ts";

const hasCode = (code: string) => (error: CodedError) => error.code === code;

function hash(tree: NarNode, algorithm: "sha1" | "sha256" = "sha1"): Hash {
  const hasher = new GitHasher(algorithm);
  for (const piece of dumpNar(tree)) hasher.update(piece);
  return hasher.digest();
}

const file = (contents: string, executable = false): NarNode => ({
  type: "regular",
  executable,
  contents: utf8(contents),
});
const directory = (entries: Record<string, NarNode>): NarNode => ({
  type: "directory",
  entries: new Map(Object.entries(entries)),
});
const hex = (tree: NarNode, algorithm?: "sha1" | "sha256"): string => formatHash(hash(tree, algorithm), "base16");

test("GitHasher gives files and trees the names git gives them", () => {
  // git 2.39: `git hash-object`, `git mktree`, also with --object-format=sha256
  assert.is(hex(file("")), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  assert.is(hex(directory({})), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  assert.is(hex(file("Hello World!\n")), "980a0d5f19a64b4b30a87d4206aade58726b60e3");
  assert.is(hex(directory({ hello: file("Hello World!\n") })), "8b8e43b937854f4083ea56777821abda2799e850");
  assert.is(hex(directory({}), "sha256"), "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321");
});

test("GitHasher sorts directories as if their names ended in a slash", () => {
  const inside = { a: file("x") };
  const tree = directory({ foo: directory(inside), "foo.c": file("y"), "foo-": file("z") });
  assert.is(hex(tree), "d49230b56db76504414c3eb795da74912a830b16");
});

test("GitHasher refuses what git tells only by its directory", () => {
  for (const tree of [file("#!/bin/sh\n", true), { type: "symlink", target: "x" } as const]) {
    assert.throws(() => hash(tree), hasCode("content-address.git-root"));
  }
  assert.throws(() => gitHasher("md5"), hasCode("content-address.algorithm"));
  assert.throws(() => new GitHasher("sha1").digest(), hasCode("nar.malformed"));
});

test("GitHasher does not depend on how an archive is cut", () => {
  fc.assert(
    fc.property(anyTree, fc.integer({ min: 1, max: 40 }), (tree, size) => {
      const whole = directory({ tree });
      const bytes = concatBytes(dumpNar(whole));
      const hasher = new GitHasher("sha256");
      for (let at = 0; at < bytes.length; at += size) hasher.update(bytes.subarray(at, at + size));
      assert.equal(hasher.digest(), hash(whole, "sha256"));
    }),
  );
});

test("an address of git is part of the path as Nix has it", () => {
  // What Nix with git-hashing printed by `nix path-info --json` for a tree of a repository.
  const address = parseContentAddress("fixed:git:sha1:pzki9p5zq6xfkkhkmrx2bhwzqafnwagx");
  assert.equal(
    [address.method, formatHash(address.hash, "base16")],
    ["git", "fd296e9dc29fc3257aae13cee9bac1bfdc14e7bf"],
  );
  assert.is(formatContentAddress(address), "fixed:git:sha1:pzki9p5zq6xfkkhkmrx2bhwzqafnwagx");
  assert.is(makeContentAddressedPath("source", address), "/nix/store/p3mq27al6qgja0m0b97nq1vs55fa34pr-source");
});

test("parseAddressMethod() reads an address without its digest", () => {
  assert.equal(parseAddressMethod("fixed:git:sha256"), { method: "git", algorithm: "sha256" });
  assert.equal(parseAddressMethod("fixed:r:sha512"), { method: "recursive", algorithm: "sha512" });
  assert.equal(parseAddressMethod("fixed:md5"), { method: "flat", algorithm: "md5" });
  assert.equal(parseAddressMethod("text:sha256"), { method: "text", algorithm: "sha256" });
  for (const text of ["fixed:git:md5", "text:sha1", "fixed:", "fixed:r:", "sha256", "fixed:git:sha1:x"])
    assert.throws(() => parseAddressMethod(text), hasCode("content-address.malformed"));
  assert.equal([fitsMethod("git", "sha512"), fitsMethod("flat", "sha512")], [false, true]);
});

test("makeContentAddressedPath() refuses addresses nothing can have", () => {
  const sha512 = { algorithm: "sha512", digest: new Uint8Array(64) } as const;
  for (const method of ["git", "text"] as const)
    assert.throws(() => makeContentAddressedPath("x", { method, hash: sha512 }), hasCode("content-address.algorithm"));
  const hash = { algorithm: "sha1", digest: new Uint8Array(20) } as const;
  const self = { self: true };
  assert.throws(
    () => makeContentAddressedPath("x", { method: "git", hash }, self),
    hasCode("content-address.references"),
  );
});

test.run();
