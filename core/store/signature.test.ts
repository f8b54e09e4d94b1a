import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, parseHash, toBase64 } from "../base/index.ts";
import { ed25519, generateSecretKey } from "../host/signing/index.ts";
import {
  checkKeyName,
  checkTrusted,
  fingerprint,
  formatKey,
  goodSignatures,
  isTrusted,
  type PathInfo,
  parsePublicKey,
  parseSecretKey,
  publicKeyOf,
  signPathInfo,
  type StorePath,
  withSignatures,
} from "./index.ts";

// Nix 2.8: nix key generate-secret --key-name test-cache.example.org-1; nix store sign --key-file …; nix path-info --sigs
const SECRET =
  "test-cache.example.org-1:5ZGJ89jsp+PXh8/7b2z2eKUwTroDtDMIc+zFVRbgqSVs5CMK7IP0rWuaPCNOrhzyNBdJmLq0geFjL9q6vGo5aA==";
const PUBLIC = "test-cache.example.org-1:bOQjCuyD9K1rmjwjTq4c8jQXSZi6tIHhYy/aurxqOWg=";
const SAME_NAME = "test-cache.example.org-1:EvsjL0ab0eFZ33PzK38QkrCe76cXfMKQffSmLXh01ng=";
const SIGNATURE =
  "test-cache.example.org-1:y6kelGtnjiLdt6hJxuwRJ07Fn9Uh10YvY8OYCtaE8aMX63UfeVsZ82SjpC0pSMjRN99aBSX+6ToBqRpjTevPDQ==";

const info: PathInfo = {
  path: "/nix/store/3fig704ss5hfmk65yr96m297b078cdn1-selfref" as StorePath,
  narHash: parseHash("sha256-JvUZ9M2uFP5y99+gS0v4IJQW6Z5cAATvUoADSGkK8L8="),
  narSize: 392,
  references: [
    "/nix/store/3fig704ss5hfmk65yr96m297b078cdn1-selfref",
    "/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2",
  ] as StorePath[],
  signatures: [],
};
const key = parseSecretKey(SECRET);
const trusted = [parsePublicKey(PUBLIC)];

const failsWith = (code: string, run: () => unknown): void =>
  assert.throws(run, (error: CodedError) => error.code === code);

test("fingerprint() is the text that Nix signs", () => {
  assert.is(
    fingerprint({ ...info, references: info.references.toReversed() }),
    "1;/nix/store/3fig704ss5hfmk65yr96m297b078cdn1-selfref;sha256:1gzh19llh0w0abph802wkvlid510z15lp86zyxrgw55frps1kx96;392;/nix/store/3fig704ss5hfmk65yr96m297b078cdn1-selfref,/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-tool-1.2",
  );
  assert.match(fingerprint({ ...info, references: [] }), /;392;$/);
  failsWith("signature.no-archive", () => fingerprint({ ...info, narSize: 0 }));
});

test("signPathInfo() gives the signature that Nix gives", () => {
  assert.is(signPathInfo(info, key, ed25519), SIGNATURE);
});

test("goodSignatures() counts signatures by trusted keys over these very facts", () => {
  const signed = withSignatures(info, [SIGNATURE]);
  assert.equal(goodSignatures(signed, trusted, ed25519), ["test-cache.example.org-1"]);
  assert.equal(goodSignatures(signed, [parsePublicKey(SAME_NAME), ...trusted], ed25519), ["test-cache.example.org-1"]);
  assert.equal(goodSignatures({ ...signed, deriver: info.path, ca: undefined }, trusted, ed25519).length, 1);
  for (const [changed, keys] of [
    [info, trusted],
    [signed, []],
    [signed, [parsePublicKey(SAME_NAME)]],
    [{ ...signed, narSize: 400 }, trusted],
    [{ ...signed, references: [] }, trusted],
    [{ ...signed, path: info.references[1] as StorePath }, trusted],
    [withSignatures(info, [SIGNATURE.replace("test-cache", "other")]), trusted],
    [withSignatures(info, [SIGNATURE.slice(SIGNATURE.indexOf(":") + 1)]), trusted],
    [withSignatures(info, [SIGNATURE.replace("y6ke", "Y6ke")]), trusted],
  ] as const) {
    assert.equal(goodSignatures(changed, keys, ed25519), []);
  }
});

test("goodSignatures() tells of a trusted key's signature that is none, unless another one is good", () => {
  for (const wrong of ["!!!!", "", "ssOm502XUYSBj8uye1VQSFNXY8gpmkOsioIgKvl06/c="]) {
    const malformed = withSignatures(info, [`test-cache.example.org-1:${wrong}`]);
    failsWith("signature.malformed", () => goodSignatures(malformed, trusted, ed25519));
    assert.is(goodSignatures(withSignatures(malformed, [SIGNATURE]), trusted, ed25519).length, 1);
    assert.equal(goodSignatures(malformed, [], ed25519), []);
  }
});

test("isTrusted() needs no signature where the path follows from the content", () => {
  const addressed: PathInfo = {
    path: "/nix/store/prl74gl5vjmm9gfqb3l19865cv9kiagk-payload.bin-r" as StorePath,
    narHash: parseHash("sha256-Zbmuw5d9zXtsxzPq/pXLJ0+avZPwGl38P9k9aTqYCk8="),
    narSize: 296,
    references: [],
    signatures: [],
    ca: "fixed:r:sha256:0kqak0x6jgfr7zy5s6phjfyrlkr7rfazxsikqxn7pkbxjz1sxfb5",
  };
  assert.is(isTrusted(addressed, [], ed25519), true);
  assert.is(isTrusted({ ...addressed, ca: undefined }, [], ed25519), false);
  assert.is(isTrusted({ ...addressed, path: info.path }, [], ed25519), false);
});

test("checkTrusted() says whose signature is missing", () => {
  checkTrusted(withSignatures(info, [SIGNATURE]), trusted, ed25519);
  failsWith("signature.untrusted", () => checkTrusted(info, trusted, ed25519));
  assert.throws(() => checkTrusted(info, [], ed25519), /nobody signed it, expected one by a trusted key/);
  assert.throws(
    () => checkTrusted(withSignatures(info, ["foreign-1:AAAA"]), trusted, ed25519),
    /the signatures of foreign-1 do not count, expected one by test-cache\.example\.org-1/,
  );
});

test("withSignatures() adds each signature once, sorted", () => {
  assert.equal(withSignatures({ ...info, signatures: ["b:x"] }, ["a:x", "b:x"]).signatures, ["a:x", "b:x"]);
});

test("what a new key signs, its public half verifies", () => {
  const fresh = generateSecretKey("fresh-1");
  const signed = withSignatures(info, [signPathInfo(info, fresh, ed25519)]);
  assert.equal(goodSignatures(signed, [publicKeyOf(fresh)], ed25519), ["fresh-1"]);
  assert.equal(goodSignatures(signed, [{ ...publicKeyOf(generateSecretKey("fresh-1")) }], ed25519), []);
  assert.equal(parseSecretKey(formatKey(fresh)), fresh);
});

test("parseSecretKey() and parsePublicKey() read what formatKey() writes", () => {
  const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => /^[^\s:]+$/.test(text));
  const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
  fc.assert(
    fc.property(name, bytes(64), bytes(32), (named, secret, open) => {
      assert.equal(parseSecretKey(formatKey({ name: named, bytes: secret })), { name: named, bytes: secret });
      assert.equal(parsePublicKey(`${formatKey({ name: named, bytes: open })}\n`), { name: named, bytes: open });
      assert.equal(publicKeyOf({ name: named, bytes: secret }), { name: named, bytes: secret.slice(32) });
    }),
  );
  assert.is(formatKey(publicKeyOf(key)), PUBLIC);
});

test("parseSecretKey() refuses what is no key, and keeps it to itself", () => {
  for (const text of ["", "no-colon", ":AAAA", "name:!!!", PUBLIC, `name:${toBase64(new Uint8Array(63))}`]) {
    failsWith("key.malformed", () => parseSecretKey(text));
  }
  try {
    parseSecretKey(`${SECRET.slice(0, -4)}AA`);
    assert.unreachable();
  } catch (error) {
    assert.not.match((error as Error).message, SECRET.slice(30, 40));
  }
});

test("checkKeyName() refuses names that could not be read back", () => {
  assert.is(checkKeyName("cache.example.org-1"), "cache.example.org-1");
  for (const name of ["", "a:b", "a b", "a\n"]) failsWith("key.name", () => checkKeyName(name));
});

test.run();
