import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CodedError,
  DIGEST_SIZE_BYTES,
  equalBytes,
  equalHashes,
  foldDigest,
  formatHash,
  fromBase16,
  fromBase32,
  fromBase64,
  type HashAlgorithm,
  type HashForm,
  hashBytes,
  makeHasher,
  parseHash,
  parseHashAlgorithm,
  toBase16,
  toBase32,
  toBase64,
} from "./index.ts";

/** The code of the error `run` throws. */
function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
  return undefined;
}

test("formatHash() writes every form as nix hash does", () => {
  // nix-hash --type sha256 --to-base32 … and nix hash to-sri, Nix 2.8, of the text "abc"
  const hash = hashBytes("sha256", "abc");
  const forms: Record<HashForm, string> = {
    base16: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    base32: "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
    base64: "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
    sri: "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
    "typed-base16": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "typed-base32": "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s",
    "typed-base64": "sha256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
  };
  for (const [form, text] of Object.entries(forms)) assert.is(formatHash(hash, form as HashForm), text);
});

test("parseHash() reads what formatHash() writes", () => {
  const algorithm = fc.constantFrom<HashAlgorithm>("md5", "sha1", "sha256", "sha512");
  const form = fc.constantFrom<HashForm>(
    "base16",
    "base32",
    "base64",
    "sri",
    "typed-base16",
    "typed-base32",
    "typed-base64",
  );
  fc.assert(
    fc.property(algorithm, form, fc.uint8Array({ minLength: 64, maxLength: 64 }), (algorithm, form, bytes) => {
      const hash = { algorithm, digest: bytes.slice(0, DIGEST_SIZE_BYTES[algorithm]) };
      return equalHashes(parseHash(formatHash(hash, form), algorithm), hash);
    }),
  );
});

test("each encoding reads what it writes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
      return (
        equalBytes(fromBase16(toBase16(bytes)), bytes) &&
        equalBytes(fromBase32(toBase32(bytes), bytes.length), bytes) &&
        equalBytes(fromBase64(toBase64(bytes)), bytes)
      );
    }),
  );
});

test("each encoding writes what it read, unless it refuses it", () => {
  const written = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      assert.match((error as CodedError).code, /^base(16|32|64)\.malformed$/);
      return undefined;
    }
  };
  const text = (alphabet: string) =>
    fc.string({ unit: fc.constantFrom(...alphabet, "e", "=", "-", "é"), maxLength: 30 });
  fc.assert(
    fc.property(text("0123456789abcdf"), (each) => {
      const read = written(() => fromBase16(each));
      assert.is(read === undefined ? each : toBase16(read), each);
    }),
  );
  fc.assert(
    fc.property(text("01abz"), (each) => {
      const read = written(() => fromBase32(each));
      assert.is(read === undefined ? each : toBase32(read), each);
    }),
  );
  fc.assert(
    // Padding may be missing, and bits beyond the last byte are not looked at: so much of what Nix accepts is not written.
    fc.property(text("AZaz09+/"), (each) => {
      const read = written(() => fromBase64(each));
      if (read !== undefined) assert.equal(fromBase64(toBase64(read)), read);
    }),
  );
});

test("parseHash() says what is wrong", () => {
  assert.is(
    codeOf(() => parseHash("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
    "hash.algorithm-missing",
  );
  assert.is(
    codeOf(() => parseHash("sha224:00")),
    "hash.unknown-algorithm",
  );
  assert.is(
    codeOf(() => parseHashAlgorithm("SHA256")),
    "hash.unknown-algorithm",
  );
  assert.is(
    codeOf(() => parseHash("md5-1B2M2Y8AsgTpgAmY7PhCfg==", "sha256")),
    "hash.algorithm-mismatch",
  );
  assert.is(
    codeOf(() => parseHash("sha256:00")),
    "hash.malformed",
  );
  assert.is(
    codeOf(() => parseHash("sha256- ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")),
    "hash.malformed",
  );
  // One bit beyond 256: the first character may only be 0 or 1.
  assert.is(
    codeOf(() => parseHash(`sha256:2${"0".repeat(51)}`)),
    "hash.malformed",
  );
});

test("the readers of encodings refuse foreign characters", () => {
  assert.is(
    codeOf(() => fromBase32("e")),
    "base32.malformed",
  );
  assert.is(
    codeOf(() => fromBase32("A0")),
    "base32.malformed",
  );
  assert.is(
    codeOf(() => fromBase16("0g")),
    "base16.malformed",
  );
  assert.is(
    codeOf(() => fromBase16("0")),
    "base16.malformed",
  );
  assert.is(
    codeOf(() => fromBase64("a-b_")),
    "base64.malformed",
  );
});

test("makeHasher() hashes pieces as hashBytes() hashes the whole", () => {
  const hasher = makeHasher("sha512");
  hasher.update(Uint8Array.of(1, 2));
  hasher.update(Uint8Array.of(3));
  assert.ok(equalHashes(hasher.digest(), hashBytes("sha512", Uint8Array.of(1, 2, 3))));
});

test("foldDigest() folds and does not cut", () => {
  // sha256 of nothing, and its fold as Nix makes it (compressHash)
  const digest = fromBase16("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.is(toBase16(foldDigest(digest, 20)), "872b570e3c69850fe2a94c9d996fb92427ae41e4");
});

test.run();
