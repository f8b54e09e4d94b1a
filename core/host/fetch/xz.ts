import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import xz from "xz-decompress";

/** The content of xz data, as it comes. Both ends may be given up at any moment. */
export function decompressXz(compressed: AsyncIterable<Uint8Array>): Readable {
  // A stream of Node, turned into one of the web by `Readable.toWeb`, ends the process when it fails after it was given up. The
  // library declares the stream types of the DOM, which those of Node fulfil.
  const plain = new xz.XzReadableStream(ReadableStream.from(compressed) as never);
  return Readable.from(plain as unknown as AsyncIterable<Uint8Array>, { objectMode: false });
}
