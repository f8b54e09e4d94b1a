import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";

/** Contents of one frame. Source: Nix 2.35. */
export const FRAME_BYTES = 16 * 1024 * 1024;
const LARGEST_PIECE = 4 * 1024 * 1024;
const SMALLEST_PIECE = 4 * 1024;

const compress = promisify(zstdCompress);

/** Frames being compressed in this process; as many archives as are under way may have one each. */
let underWay = 0;

/**
 * Compress with zstd in frames that know nothing of each other, so that several processors can compress one archive, and unpack it. The
 * result depends on the contents and the level alone.
 *
 * At most one frame for each processor is in memory besides the one that comes in.
 */
export async function* compressInFrames(
  pieces: AsyncIterable<Uint8Array>,
  level: number,
  frameBytes = FRAME_BYTES,
): AsyncGenerator<Uint8Array> {
  const processors = availableParallelism();
  const running: Promise<Uint8Array>[] = [];
  let parts: Uint8Array[] = [];
  let size = 0;
  const start = (): void => {
    const frame = Buffer.concat(parts, size);
    parts = [];
    size = 0;
    underWay++;
    const packed = packFrame(frame, level).finally(() => underWay--);
    // Told when it is waited for, if it still is.
    packed.catch(() => {});
    running.push(packed);
  };
  let isBegun = false;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + frameBytes - size);
      parts.push(part);
      size += part.length;
      at += part.length;
      if (size < frameBytes) continue;
      while (running.length >= processors || (running.length > 0 && underWay >= processors))
        yield (await running.shift()) as Uint8Array;
      start();
      isBegun = true;
    }
  }
  if (size > 0 || !isBegun) start();
  for (const packed of running) yield await packed;
}

function packFrame(frame: Buffer, level: number): Promise<Uint8Array> {
  return compress(frame, {
    chunkSize: Math.max(SMALLEST_PIECE, Math.min(LARGEST_PIECE, frame.length)),
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      // A checksum would be one more; the file's hash is known.
      [constants.ZSTD_c_checksumFlag]: 0,
    },
  });
}
