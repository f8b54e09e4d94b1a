import { CodedError, formatHash, fromBase64, sortedText, toBase64, utf8 } from "../base/index.ts";
import { isVerifiablyContentAddressed } from "./content-address.ts";
import type { PathInfo } from "./path-info.ts";
import type { PublicKey, SecretKey } from "./signing-key.ts";
import { STORE_DIRECTORY } from "./store-path.ts";

/** Making and checking of plain ed25519 signatures; the machine does it, so it is passed in. */
export interface SignatureScheme {
  /** 64 bytes; the same message and key give the same signature. */
  sign(key: SecretKey, message: Uint8Array): Uint8Array;
  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
}

const SIGNATURE_BYTES = 64;

/**
 * What a signature of a store object says: path, archive and references; neither deriver nor content address.
 *
 * Shape: `1;<path>;sha256:<base32>;<size>;<references joined by ",">`.
 *
 * @throws {CodedError} `signature.no-archive` when the size of the archive is not known
 */
export function fingerprint({ path, narHash, narSize, references }: PathInfo): string {
  if (narSize < 1)
    throw new CodedError("signature.no-archive", `Cannot sign "${path}": the size of its archive is not known`);
  const sorted = sortedText(new Set<string>(references));
  return `1;${path};${formatHash(narHash, "typed-base32")};${narSize};${sorted.join(",")}`;
}

/** The signature of a store object, as `<key name>:<base64>`. Errors as {@link fingerprint}. */
export function signPathInfo(info: PathInfo, key: SecretKey, scheme: Pick<SignatureScheme, "sign">): string {
  return `${key.name}:${toBase64(scheme.sign(key, utf8(fingerprint(info))))}`;
}

/** The object with one signature more; nothing changes when it is there already. */
export function withSignatures<Info extends PathInfo>(info: Info, signatures: Iterable<string>): Info {
  return { ...info, signatures: sortedText(new Set([...info.signatures, ...signatures])) };
}

/**
 * Names of the trusted keys that really signed the object, sorted.
 *
 * A signature by a key that is not among the trusted ones counts for nothing, whatever it looks like.
 *
 * @throws {CodedError} `signature.malformed` when no signature is good, and one that names a trusted key is no
 *   signature at all
 */
export function goodSignatures(
  info: PathInfo,
  trusted: Iterable<PublicKey>,
  scheme: Pick<SignatureScheme, "verify">,
): string[] {
  const keys = [...trusted];
  const good = new Set<string>();
  let malformed: string | undefined;
  let message: Uint8Array | undefined;
  for (const signature of info.signatures) {
    const name = signature.slice(0, Math.max(0, signature.indexOf(":")));
    const candidates = keys.filter((key) => key.name === name && name !== "");
    if (candidates.length === 0) continue;
    const bytes = signatureBytes(signature.slice(name.length + 1));
    if (bytes === undefined) {
      malformed ??= signature;
      continue;
    }
    message ??= utf8(fingerprint(info));
    const signed = message;
    if (candidates.some((key) => scheme.verify(key, signed, bytes))) good.add(name);
  }
  if (good.size === 0 && malformed !== undefined) {
    throw new CodedError(
      "signature.malformed",
      `Cannot check the signature "${malformed}" of "${info.path}": expected base 64 of ${SIGNATURE_BYTES} bytes after the key's name`,
    );
  }
  return sortedText(good);
}

/**
 * Whether an object of another store may be taken in: its path follows from its content, or a trusted key signed it.
 *
 * Errors as {@link goodSignatures}.
 */
export function isTrusted(
  info: PathInfo,
  trusted: Iterable<PublicKey>,
  scheme: Pick<SignatureScheme, "verify">,
  storeDirectory: string = STORE_DIRECTORY,
): boolean {
  return isVerifiablyContentAddressed(info, storeDirectory) || goodSignatures(info, trusted, scheme).length > 0;
}

/**
 * {@link isTrusted}, or an error that says what is missing.
 *
 * @throws {CodedError} `signature.untrusted`, `signature.malformed`
 */
export function checkTrusted(
  info: PathInfo,
  trusted: Iterable<PublicKey>,
  scheme: Pick<SignatureScheme, "verify">,
  storeDirectory: string = STORE_DIRECTORY,
): void {
  const keys = [...trusted];
  if (isTrusted(info, keys, scheme, storeDirectory)) return;
  const signers = info.signatures.map((signature) => signature.split(":", 1)[0]);
  const found = signers.length === 0 ? "nobody signed it" : `the signatures of ${signers.join(", ")} do not count`;
  throw new CodedError(
    "signature.untrusted",
    `Cannot trust "${info.path}": ${found}, expected one by ${keys.length === 0 ? "a trusted key, and there are none" : keys.map(({ name }) => name).join(" or ")}`,
    { hint: "Trust the key of the cache it comes from, or pass `--no-check-sigs` where you know what it holds." },
  );
}

function signatureBytes(text: string): Uint8Array | undefined {
  try {
    const bytes = fromBase64(text);
    return bytes.length === SIGNATURE_BYTES ? bytes : undefined;
  } catch {
    return undefined;
  }
}
