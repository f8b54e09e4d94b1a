import { CodedError, fromBase64, toBase64 } from "../base/index.ts";

/** A key that signatures are checked with. */
export interface PublicKey {
  /** Signatures name the key they were made with. */
  readonly name: string;
  /** 32 bytes: an ed25519 public key. */
  readonly bytes: Uint8Array;
}

/** A key that signatures are made with. */
export interface SecretKey {
  readonly name: string;
  /** 64 bytes: the ed25519 seed, then the public key, as libsodium lays them out. */
  readonly bytes: Uint8Array;
}

const PUBLIC_BYTES = 32;
const SECRET_BYTES = 64;

/**
 * Read `<name>:<base64>` of a public key.
 *
 * @throws {CodedError} `key.malformed`
 */
export function parsePublicKey(text: string): PublicKey {
  return parseKey(text, PUBLIC_BYTES, "a public key");
}

/**
 * Read `<name>:<base64>` of a secret key. The text itself is never part of an error.
 *
 * @throws {CodedError} `key.malformed`
 */
export function parseSecretKey(text: string): SecretKey {
  return parseKey(text, SECRET_BYTES, "a secret key");
}

/** `<name>:<base64>`, the whole contents of a key file. */
export function formatKey({ name, bytes }: PublicKey | SecretKey): string {
  return `${name}:${toBase64(bytes)}`;
}

/** The public half, which the secret key carries in itself. */
export function publicKeyOf({ name, bytes }: SecretKey): PublicKey {
  return { name, bytes: bytes.slice(SECRET_BYTES - PUBLIC_BYTES) };
}

/**
 * Check the name of a key to be made.
 *
 * @throws {CodedError} `key.name`
 */
export function checkKeyName(name: string): string {
  if (/^[^\s:]+$/.test(name)) return name;
  throw new CodedError(
    "key.name",
    `Cannot name a key ${JSON.stringify(name)}: expected at least one character, neither white space nor ":"`,
    { hint: "Name it after the cache and a number, as in `cache.example.org-1`, so that it can be replaced later." },
  );
}

function parseKey(text: string, sizeBytes: number, what: string): { name: string; bytes: Uint8Array } {
  const trimmed = text.trim();
  const colon = trimmed.indexOf(":");
  if (colon < 1) throw malformed(what, 'expected a name, ":" and base 64');
  const name = trimmed.slice(0, colon);
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(trimmed.slice(colon + 1));
  } catch {
    throw malformed(what, `what follows "${name}:" is not base 64`);
  }
  if (bytes.length !== sizeBytes) throw malformed(what, `"${name}" has ${bytes.length} bytes, expected ${sizeBytes}`);
  return { name, bytes };
}

function malformed(what: string, found: string): CodedError {
  return new CodedError("key.malformed", `Cannot read ${what}: ${found}`);
}
