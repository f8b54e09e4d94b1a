import { createReadStream, mkdirSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract } from "tar-stream";
import { CodedError } from "../../base/index.ts";
import { decompress } from "../binary-cache/decompress.ts";
import { LARGEST_UNPACKED_BYTES, limited, withShortFacts } from "./limits.ts";
import { badArchive, type UnpackOptions, Unpacking } from "./unpacking.ts";

/**
 * Unpack a tar archive of a source: plain, or compressed with gzip, xz, zstd, bzip2, lzip or lz4; its beginning tells. See
 * {@link Unpacking} for what becomes of its entries.
 *
 * @returns Seconds since 1970 of the newest entry; 0 when there is none.
 * @throws {CodedError} `fetch.bad-archive`, `fetch.too-large`, `cache.compression-malformed`
 */
export async function unpackTarball(options: UnpackOptions): Promise<{ readonly newestSeconds: number }> {
  const { file, to, what, signal, limitBytes = LARGEST_UNPACKED_BYTES } = options;
  const unpacking = new Unpacking(options);
  const packed = createReadStream(file, { highWaterMark: 1 << 18, ...(signal === undefined ? {} : { signal }) });
  const plain = limited(decompress(packed, "gzip", Number.MAX_SAFE_INTEGER), limitBytes, what);
  const archive = extract();
  const feeding = pipeline(Readable.from(withShortFacts(plain, what), { objectMode: false }), archive);
  // What went wrong is told where the entries are read.
  feeding.catch(() => {});
  mkdirSync(to);
  try {
    for await (const entry of archive) {
      signal?.throwIfAborted();
      await unpacking.take(entry.header, entry as unknown as Readable);
    }
    await feeding;
  } catch (error) {
    signal?.throwIfAborted();
    const cause = await feeding.then(
      () => error,
      (earlier: unknown) => (earlier instanceof CodedError ? earlier : error),
    );
    if (cause instanceof CodedError || (cause as NodeJS.ErrnoException).syscall !== undefined) throw cause;
    throw badArchive(what, (cause as Error).message);
  } finally {
    packed.destroy();
    archive.destroy();
  }
  unpacking.finish();
  return { newestSeconds: unpacking.newestSeconds };
}
