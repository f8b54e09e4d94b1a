import { readFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { formatKey, parsePublicKey, parseSecretKey, type PublicKey, type SecretKey } from "../../store/index.ts";
import { writeFileAtomic } from "../files/index.ts";

/** The longest a key file can sensibly be, in bytes. */
const LONGEST = 4096;

/**
 * Read a file that holds one secret key.
 *
 * @throws {CodedError} `key.unreadable`, `key.malformed` with the file's name
 */
export function readSecretKey(file: string): SecretKey {
  return within(file, () => parseSecretKey(readKeyText(file)));
}

/** Read public keys from a file, one a line. Errors as {@link readSecretKey}. */
export function readPublicKeys(file: string): PublicKey[] {
  const lines = readKeyText(file)
    .split(/\s+/)
    .filter((line) => line !== "");
  return within(file, () => lines.map(parsePublicKey));
}

/** Write a secret key to a file that only its owner can read; it appears whole. */
export function writeSecretKey(file: string, key: SecretKey): void {
  writeFileAtomic(file, formatKey(key), { mode: 0o600, sync: true });
}

function readKeyText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    throw new CodedError("key.unreadable", `Cannot read the key "${file}": ${(cause as Error).message}`, { cause });
  }
  if (bytes.length > LONGEST) {
    throw new CodedError(
      "key.malformed",
      `Cannot read the key "${file}": found ${bytes.length} bytes, expected at most ${LONGEST}`,
    );
  }
  return bytes.toString("utf8");
}

function within<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError(error.code, `${error.message} (in "${file}")`, { cause: error });
  }
}
