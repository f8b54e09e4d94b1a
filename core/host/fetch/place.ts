import { createReadStream } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { XzReadableStream } from "xz-decompress";
import { restoreNar } from "../files/index.ts";

export interface PlaceFetchedOptions {
  /** The downloaded file; it may be moved away. */
  readonly file: string;
  readonly output: string;
  readonly executable: boolean;
  /** The file is an archive (NAR) of the output. */
  readonly unpack: boolean;
  /** The archive is compressed with xz. */
  readonly compressed: boolean;
}

/** Make a downloaded file the output of `builtin:fetchurl`. Source: Nix, `builtinFetchurl`. */
export async function placeFetched(options: PlaceFetchedOptions): Promise<void> {
  if (options.unpack) {
    await restoreNar(options.compressed ? readXz(options.file) : createReadStream(options.file), options.output);
    return;
  }
  await chmod(options.file, options.executable ? 0o755 : 0o644);
  await rename(options.file, options.output);
}

/** The content of an xz file. */
export function readXz(file: string): Readable {
  const compressed = Readable.toWeb(createReadStream(file, { highWaterMark: 1 << 18 }));
  // The library declares the DOM's stream type, which Node's own one fulfils.
  const plain = new XzReadableStream(compressed as unknown as ConstructorParameters<typeof XzReadableStream>[0]);
  return Readable.fromWeb(plain as unknown as ReadableStream);
}
