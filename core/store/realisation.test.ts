import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatHash, parseHash } from "../base/index.ts";
import { ed25519 } from "../host/signing/index.ts";
import {
  dependentRealisations,
  formatRealisation,
  makeRealisationId,
  parseRealisation,
  parseRealisationId,
  parseSecretKey,
  publicKeyOf,
  type Realisation,
  realisationFile,
  realisationFingerprint,
  realisationSigners,
  type StorePath,
  signRealisation,
} from "./index.ts";
import { anySha256, anyStorePath } from "./testing.ts";

// shared vectors content-addressed.json: uses.out (Nix 2.8.0)
const SECRET = "build-key-1:B44J0Lslsvk1ePD3D1cjv3Xd/RT3XST77Tbb5zfllJSIva1nqoSJ7pjmTxa7FIowfwy/Lh0046HEevx0G1KdBA==";
const SELF_ID = "sha256:0501a5736a269e8e188c82db4447532b9b617d11f1cf33e5c0c0bc81ed39f639!out";
const PLAIN_ID = "sha256:fd9cf966a94b65a8109e9f24990ce9231e3a0f3e4b5652c72108616552bfe075!out";
const TEXT = `{"dependentRealisations":{"${SELF_ID}":"9jl1scgllqyc9rgas2nin6h2ypfbnw6d-ca-self-one","${PLAIN_ID}":"i1pyzmfbsqg5gw4v2wvz347liyg70war-ca-plain-one"},"id":"sha256:dd8eee6c031c916775d6110bd7b3c4c305922f3b9393de6037e866d85c284002!out","outPath":"1wq0dz79xmn5l8l393zbma2448fbynrg-ca-uses-one","signatures":["build-key-1:xXzXBCXrEm9Zx1Ah835DNb9dXX87tQivholHLo+kAGB4H0Vw0YRskVAfAilrLCPhcuW5bAR4aAS8rZWD3xS9Cg=="]}`;

test("formatRealisation() writes what parseRealisation() read", () => {
  assert.is(formatRealisation(parseRealisation(TEXT)), TEXT);
});

test("signRealisation() gives the signature that Nix gives", () => {
  const realisation = parseRealisation(TEXT);
  assert.is(realisationFingerprint(realisation), TEXT.replace(/,"signatures".*/, "}"));
  assert.equal([signRealisation(realisation, parseSecretKey(SECRET), ed25519)], realisation.signatures);
});

test("realisationSigners() names the trusted keys that really signed", () => {
  const realisation = parseRealisation(TEXT);
  const trusted = publicKeyOf(parseSecretKey(SECRET));
  assert.equal(realisationSigners(realisation, [trusted], ed25519), ["build-key-1"]);
  assert.equal(realisationSigners(realisation, [], ed25519), []);
  assert.equal(realisationSigners(realisation, [{ ...trusted, name: "build-key" }], ed25519), []);
  const other = { ...realisation, outPath: [...realisation.dependentRealisations.values()][0] as StorePath };
  assert.equal(realisationSigners(other, [trusted], ed25519), []);
  const nonsense = { ...realisation, signatures: ["build-key-1:%", "build-key-1:c2ln", "build-key-1:"] };
  assert.equal(realisationSigners(nonsense, [trusted], ed25519), []);
});

test("a realisation survives being written and read", () => {
  const id = fc
    .tuple(anySha256, fc.string({ minLength: 1, unit: "binary" }))
    .map(([{ digest }, output]) => makeRealisationId(digest, output));
  const realisation: fc.Arbitrary<Realisation> = fc.record({
    id,
    outPath: anyStorePath,
    dependentRealisations: fc.array(fc.tuple(id, anyStorePath), { maxLength: 3 }).map((entries) => new Map(entries)),
    signatures: fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(realisation, (made) => {
      const text = formatRealisation(made);
      const read = parseRealisation(text);
      assert.is(formatRealisation(read), text);
      assert.is(read.id, made.id);
      assert.is(read.outPath, made.outPath);
      assert.is(read.dependentRealisations.size, made.dependentRealisations.size);
    }),
  );
});

test("parseRealisation() refuses what is none", () => {
  const without = (key: string) => JSON.stringify({ ...JSON.parse(TEXT), [key]: undefined });
  const withValue = (key: string, value: unknown) => JSON.stringify({ ...JSON.parse(TEXT), [key]: value });
  const wrong = [
    "",
    "[]",
    "null",
    without("id"),
    without("outPath"),
    withValue("id", "sha256:00!out"),
    withValue("id", SELF_ID.replace("!out", "!")),
    withValue("outPath", "/nix/store/9jl1scgllqyc9rgas2nin6h2ypfbnw6d-x"),
    withValue("outPath", "../x"),
    withValue("signatures", "x"),
    withValue("signatures", [1]),
    withValue("dependentRealisations", []),
    withValue("dependentRealisations", { x: "y" }),
  ];
  for (const text of wrong) {
    assert.throws(
      () => parseRealisation(text),
      (error: CodedError) => error.code === "realisation.malformed",
      text,
    );
  }
  assert.equal(parseRealisation(without("signatures")).signatures, []);
  assert.is(parseRealisation(without("dependentRealisations")).dependentRealisations.size, 0);
});

test("parseRealisationId() gives the one form of an id", () => {
  assert.is(parseRealisationId(PLAIN_ID), PLAIN_ID);
  const hash = parseHash(PLAIN_ID.replace("!out", ""));
  assert.is(parseRealisationId(`${formatHash(hash, "sri")}!out`), PLAIN_ID);
  assert.is(realisationFile(PLAIN_ID), `realisations/${PLAIN_ID}.doi`);
});

test("dependentRealisations() follows what inputs depend on, as far as the output refers to it", () => {
  const at = (name: string) => `/nix/store/${"0".repeat(32)}-${name}` as StorePath;
  const make = (name: string, ...dependents: string[]): Realisation => ({
    id: `${name}!out`,
    outPath: at(name),
    dependentRealisations: new Map(dependents.map((each) => [`${each}!out`, at(each)])),
    signatures: [],
  });
  const known = [make("c", "a"), make("b", "c", "gone"), make("a", "b")];
  const find = (id: string) => known.find((each) => each.id === id);
  const found = dependentRealisations([make("b", "c", "gone")], [at("a"), at("c"), at("other")], find);
  assert.equal(
    [...found],
    [
      ["a!out", at("a")],
      ["c!out", at("c")],
    ],
  );
});

test.run();
