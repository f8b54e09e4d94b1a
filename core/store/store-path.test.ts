import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes, parseHash } from "../base/index.ts";
import {
  checkName,
  formatContentAddress,
  isVerifiablyContentAddressed,
  makeFixedPath,
  makeOutputPath,
  makeSourcePath,
  makeTextPath,
  outputPathName,
  parseContentAddress,
  parseStorePath,
  splitStorePath,
  type StorePath,
  storePathBaseName,
  storePathDigest,
  storePathFromBaseName,
  storePathName,
  tryParseStorePath,
} from "./index.ts";

const FOO = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo";
const hasCode = (code: string) => (error: CodedError) => error.code === code;

test("parseStorePath() accepts a path made by Nix", () => {
  // Nix 2.8: nix-instantiate --eval -E 'builtins.toFile "foo" "bar"'
  const path = parseStorePath(FOO, "/nix/store");
  assert.is(path, FOO);
  assert.is(storePathName(path), "foo");
  assert.is(storePathDigest(path), "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0");
  assert.is(storePathFromBaseName(storePathBaseName(path)), path);
});

test("parseStorePath() refuses a file inside a store object", () => {
  assert.throws(() => parseStorePath(`${FOO}/bin/foo`, "/nix/store"), hasCode("store-path.outside"));
  assert.throws(() => parseStorePath(FOO, "/gnu/store"), hasCode("store-path.outside"));
  assert.equal(splitStorePath(`${FOO}/bin/foo`), { path: FOO, inner: "/bin/foo" });
});

test("parseStorePath() refuses digests and names that are none", () => {
  for (const base of [
    "foo",
    "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0",
    "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-",
    "exjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo",
    "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-a b",
  ]) {
    assert.is(tryParseStorePath(`/nix/store/${base}`), undefined);
    assert.throws(() => parseStorePath(`/nix/store/${base}`), hasCode("store-path.malformed"));
  }
});

test("checkName() takes only names every Nix takes", () => {
  for (const name of ["a", ".x", "...", "A-Za.z0_9+?=", "x".repeat(211)]) assert.is(checkName(name), name);
  for (const name of ["", ".", "..", ".-x", "..-x", "-", "a/b", "é", "x".repeat(212)]) {
    assert.throws(() => checkName(name), hasCode("store-path.name"));
  }
});

test("makeTextPath() agrees with builtins.toFile", () => {
  assert.is(makeTextPath("foo", "bar", []), FOO);
  // Nix 2.8: builtins.toFile "b.txt" "see ${builtins.toFile "a.txt" "hello"}"
  const a = makeTextPath("a.txt", "hello", []);
  assert.is(a, "/nix/store/wzflyq5q9kjg4p27yck2nnispnblxsnh-a.txt");
  assert.is(makeTextPath("b.txt", `see ${a}`, [a]), "/nix/store/ilgmy1rgkh8pkq35dw96plirp0918pcm-b.txt");
});

test("makeFixedPath() and makeSourcePath() agree with Nix", () => {
  // shared vectors store-paths.json: fixed-random-0 and fixed-flat-md5
  const hash = parseHash("sha256-LmRMmihemi208cXGz6LbFIMVdgftchrBdi3bY3Rp0lc=");
  const source = "/nix/store/ljxvjnmygpc15pzi9m139g8g6mx8w3kk-source";
  assert.is(makeFixedPath({ name: "source", method: "recursive", hash }), source);
  assert.is(makeSourcePath("source", hash), source);
  const md5 = parseHash("md5:d17d6e3dda518a07dbc7018e57cc1ff3");
  assert.is(
    makeFixedPath({ name: "dl-flat-md5.tar.gz", method: "flat", hash: md5 }),
    "/nix/store/a233kxbb8l2yqzfz5kha6r3y7v6m0idc-dl-flat-md5.tar.gz",
  );
});

test("outputPathName() keeps the name for out only", () => {
  assert.is(outputPathName("hello", "out"), "hello");
  assert.is(outputPathName("hello", "dev"), "hello-dev");
  assert.match(makeOutputPath("dev", new Uint8Array(32), "hello"), /-hello-dev$/);
});

test("the digest depends on store directory, name and references", () => {
  const paths = [
    makeTextPath("a", "x", []),
    makeTextPath("b", "x", []),
    makeTextPath("a", "x", [FOO as StorePath]),
    makeTextPath("a", "x", [], "/gnu/store"),
  ];
  assert.is(new Set(paths.map((path) => path.slice(-34, -2))).size, 4);
});

test("parseContentAddress() reads what formatContentAddress() writes", () => {
  const method = fc.constantFrom<"text" | "flat" | "recursive">("text", "flat", "recursive");
  fc.assert(
    fc.property(method, fc.string(), (method, data) => {
      const address = { method, hash: hashBytes("sha256", data) };
      assert.equal(parseContentAddress(formatContentAddress(address)), address);
    }),
  );
  assert.throws(() => parseContentAddress("git:sha1:x"), hasCode("content-address.malformed"));
});

test("isVerifiablyContentAddressed() recomputes the path with its references", () => {
  const a = makeTextPath("a", "x", []);
  const path = makeTextPath("b", a, [a]);
  const narHash = hashBytes("sha256", "irrelevant");
  const info = {
    path,
    narHash,
    narSize: 1,
    references: [a],
    signatures: [],
    ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", a) }),
  };
  assert.is(isVerifiablyContentAddressed(info), true);
  assert.is(isVerifiablyContentAddressed({ ...info, references: [] }), false);
  assert.is(isVerifiablyContentAddressed({ ...info, ca: undefined }), false);
});

test.run();
