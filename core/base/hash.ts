import { createHash, hash } from "node:crypto";
import { equalBytes } from "./bytes.ts";
import { base32Length, fromBase16, fromBase32, fromBase64, toBase16, toBase32, toBase64 } from "./encodings.ts";
import { CodedError } from "./errors.ts";
import { utf8 } from "./text.ts";

export type HashAlgorithm = "md5" | "sha1" | "sha256" | "sha512";

/** Size of a digest in bytes. */
export const DIGEST_SIZE_BYTES: Readonly<Record<HashAlgorithm, number>> = { md5: 16, sha1: 20, sha256: 32, sha512: 64 };

/** Algorithm and digest together. */
export interface Hash {
  readonly algorithm: HashAlgorithm;
  readonly digest: Uint8Array;
}

/** `sri` is `sha256-<base64>`; the `typed-` forms are `sha256:<digest>`; the others are the digest alone. */
export type HashForm = "base16" | "base32" | "base64" | "sri" | "typed-base16" | "typed-base32" | "typed-base64";

/** A hash in the making: feed it bytes, then ask once for the result. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  digest(): Hash;
}

export function makeHasher(algorithm: HashAlgorithm): Hasher {
  const hasher = createHash(algorithm);
  return {
    update: (bytes) => void hasher.update(bytes),
    // A copy: the digest must be a plain array of this realm and not a view of a shared pool.
    digest: () => ({ algorithm, digest: new Uint8Array(hasher.digest()) }),
  };
}

/** Hash of bytes, or of the UTF-8 form of a text. */
export function hashBytes(algorithm: HashAlgorithm, data: Uint8Array | string): Hash {
  const bytes = typeof data === "string" && !data.isWellFormed() ? utf8(data) : data;
  return { algorithm, digest: new Uint8Array(hash(algorithm, bytes, "buffer")) };
}

export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(DIGEST_SIZE_BYTES, text);
}

/**
 * Check the name of an algorithm: lower case, exact.
 *
 * @throws {CodedError} `hash.unknown-algorithm`
 */
export function parseHashAlgorithm(text: string): HashAlgorithm {
  if (isHashAlgorithm(text)) return text;
  throw new CodedError(
    "hash.unknown-algorithm",
    `Cannot use the hash algorithm "${text}": expected md5, sha1, sha256 or sha512`,
  );
}

export function formatHash(hash: Hash, form: HashForm): string {
  switch (form) {
    case "base16":
      return toBase16(hash.digest);
    case "base32":
      return toBase32(hash.digest);
    case "base64":
      return toBase64(hash.digest);
    case "sri":
      return `${hash.algorithm}-${toBase64(hash.digest)}`;
    case "typed-base16":
      return `${hash.algorithm}:${toBase16(hash.digest)}`;
    case "typed-base32":
      return `${hash.algorithm}:${toBase32(hash.digest)}`;
    case "typed-base64":
      return `${hash.algorithm}:${toBase64(hash.digest)}`;
  }
}

/**
 * Read a hash: `algorithm:digest` in base 16, 32 or 64 (told apart by length), SRI `algorithm-base64`, or a bare digest
 * when `expected` says of which algorithm.
 *
 * @throws {CodedError} `hash.malformed`, `hash.unknown-algorithm`, `hash.algorithm-mismatch` (not the expected one),
 *   `hash.algorithm-missing` (a bare digest of nobody knows what).
 */
export function parseHash(text: string, expected?: HashAlgorithm): Hash {
  const colon = text.indexOf(":");
  const separator = colon >= 0 ? colon : text.indexOf("-");
  if (separator < 0) {
    if (expected === undefined) {
      throw new CodedError("hash.algorithm-missing", `Cannot read "${text}" as a hash: it does not say its algorithm`, {
        hint: 'Write it as "sha256-…" (base 64) or "sha256:…".',
      });
    }
    return { algorithm: expected, digest: readDigest(text, text, expected) };
  }
  const algorithm = parseHashAlgorithm(text.slice(0, separator));
  if (expected !== undefined && algorithm !== expected) {
    throw new CodedError(
      "hash.algorithm-mismatch",
      `Cannot read "${text}" as a hash: found ${algorithm}, expected ${expected}`,
    );
  }
  const rest = text.slice(separator + 1);
  return { algorithm, digest: colon >= 0 ? readDigest(text, rest, algorithm) : readSri(text, rest, algorithm) };
}

function readDigest(whole: string, digest: string, algorithm: HashAlgorithm): Uint8Array {
  const size = DIGEST_SIZE_BYTES[algorithm];
  try {
    if (digest.length === size * 2) return fromBase16(digest);
    if (digest.length === base32Length(size)) return fromBase32(digest, size);
    if (digest.length === 4 * Math.ceil(size / 3)) return sized(fromBase64(digest), size);
  } catch (cause) {
    throw new CodedError("hash.malformed", `Cannot read "${whole}" as a hash: ${found(cause)}`, { hint: FORM });
  }
  throw new CodedError(
    "hash.malformed",
    `Cannot read "${whole}" as a hash: found ${digest.length} characters, expected ${size * 2} (base 16), ${base32Length(size)} (base 32) or ${4 * Math.ceil(size / 3)} (base 64) for ${algorithm}`,
    { hint: FORM },
  );
}

const FORM =
  "Hashes look like sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; `floe hash file FILE` and `floe hash path PATH` print them.";

function readSri(whole: string, digest: string, algorithm: HashAlgorithm): Uint8Array {
  try {
    return sized(fromBase64(digest), DIGEST_SIZE_BYTES[algorithm]);
  } catch (cause) {
    throw new CodedError("hash.malformed", `Cannot read "${whole}" as a hash: ${found(cause)}`, { hint: FORM });
  }
}

function sized(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new Error(`found ${bytes.length} bytes, expected ${size}`);
  return bytes;
}

/** What a lower reader found, without its own "Cannot read …:" in front. */
function found(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.startsWith("Cannot read ") ? text.slice(text.indexOf(": ") + 2) : text;
}

export function equalHashes(a: Hash, b: Hash): boolean {
  return a.algorithm === b.algorithm && equalBytes(a.digest, b.digest);
}

/**
 * Shorten a digest by folding: byte i is XORed into place i modulo the new size. All bytes take part; this is no truncation.
 *
 * Source: Nix, `compressHash`.
 */
export function foldDigest(digest: Uint8Array, sizeBytes: number): Uint8Array {
  const folded = new Uint8Array(sizeBytes);
  for (let i = 0; i < digest.length; i++)
    folded[i % sizeBytes] = (folded[i % sizeBytes] as number) ^ (digest[i] as number);
  return folded;
}
