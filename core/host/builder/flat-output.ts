import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { CodedError } from "../../base/index.ts";
import type { ContentAddressMethod } from "../../store/index.ts";

/** Methods that address a single file by its contents. */
export function isFileMethod(method: ContentAddressMethod): method is "flat" | "text" {
  return method === "flat" || method === "text";
}

/**
 * Refuse what a method does not tell from something else: a hash of a file's contents does not say whether it is executable, and
 * git's says of trees only what is in them.
 *
 * @throws {CodedError} `build.not-flat`
 */
export async function checkRoot(place: string, name: string, method: ContentAddressMethod): Promise<void> {
  if (method === "recursive") return;
  const found = await lstat(place);
  if (found.isFile() && (found.mode & 0o100) === 0) return;
  if (found.isDirectory() && method === "git") return;
  const what = found.isFile() ? "an executable file" : found.isSymbolicLink() ? "a symbolic link" : "no regular file";
  const expected = `${method === "git" ? "a directory or " : ""}a single file that is not executable`;
  throw new CodedError(
    "build.not-flat",
    `Cannot accept "${name}": found ${what}, its hash mode "${method}" expects ${expected}`,
    { hint: `Declare the hash with method "recursive".`, exitCode: 100 },
  );
}

/** The contents of a file in pieces. */
export function readFile(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
}
