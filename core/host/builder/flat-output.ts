import { createReadStream } from "node:fs";
import { lstat } from "node:fs/promises";
import { CodedError } from "../../base/index.ts";

/** @throws {CodedError} `build.not-flat` unless it is a single file that is not executable. */
export async function checkFlat(place: string, name: string): Promise<void> {
  const found = await lstat(place);
  if (!found.isFile() || (found.mode & 0o100) !== 0) {
    throw new CodedError(
      "build.not-flat",
      `Cannot accept "${name}": found ${found.isFile() ? "an executable file" : "no regular file"}, its hash mode "flat" expects a single file that is not executable`,
      { hint: `Declare the hash with method "recursive".`, exitCode: 100 },
    );
  }
}

/** The contents of a file in pieces. */
export function readFile(file: string): AsyncIterable<Uint8Array> {
  return createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
}
