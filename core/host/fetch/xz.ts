import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import xz from "xz-decompress";

/** The content of xz data, as it comes. */
export function decompressXz(compressed: Readable): Readable {
  // The library declares the DOM's stream types, which Node's own fulfil.
  const plain = new xz.XzReadableStream(Readable.toWeb(compressed) as never);
  return Readable.fromWeb(plain as unknown as ReadableStream);
}
