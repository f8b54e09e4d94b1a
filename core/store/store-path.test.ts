import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes, parseHash } from "../base/index.ts";
import {
  checkName,
  formatContentAddress,
  isVerifiablyContentAddressed,
  makeContentAddressedPath,
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

test("makeContentAddressedPath() makes the paths of all methods", () => {
  // shared vectors content-addressed.json: self.out, sha512.out and flat.out (Nix 2.8.0)
  const path = (name: string, ca: string, self = false): string =>
    makeContentAddressedPath(name, parseContentAddress(ca), { self });
  assert.is(
    path("ca-self-one", "fixed:r:sha256:0l2jkvy5kspni5yhpbbnvm3in25h6al5r986z86n7gp2mi2rpybv", true),
    "/nix/store/9jl1scgllqyc9rgas2nin6h2ypfbnw6d-ca-self-one",
  );
  assert.is(
    path("ca-flat-one", "fixed:sha256:01qsi5r9k69yxg7p32is37sf31y70nmkpgykg9x61m84mh7xqm9v"),
    "/nix/store/qgcvrqvsn6j5dqf2d9v1mihbhkhqqp8s-ca-flat-one",
  );
  const hash = hashBytes("sha256", "x");
  assert.is(makeContentAddressedPath("x", { method: "text", hash }), makeTextPath("x", "x", []));
});

test("makeContentAddressedPath() refuses references where there can be none", () => {
  const refused = hasCode("content-address.references");
  const flat = { method: "flat", hash: hashBytes("sha256", "x") } as const;
  assert.throws(() => makeContentAddressedPath("x", flat, { references: [FOO as StorePath] }), refused);
  assert.throws(() => makeContentAddressedPath("x", { ...flat, method: "text" }, { self: true }), refused);
  const sha512 = { method: "recursive", hash: hashBytes("sha512", "x") } as const;
  assert.throws(() => makeContentAddressedPath("x", sha512, { self: true }), refused);
  const algorithm = hasCode("content-address.algorithm");
  assert.throws(() => makeContentAddressedPath("x", { ...sha512, method: "text" }), algorithm);
});

test.run();
