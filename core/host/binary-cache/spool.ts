import { createWriteStream, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Hash, makeHasher } from "../../base/index.ts";
import { NarLister, type NarListing } from "../../store/index.ts";
import { temporaryName } from "../files/index.ts";
import type { Compression } from "./compression.ts";
import { makeCompressor } from "./compress.ts";
import type { SpooledFile } from "./transport.ts";

export interface SpooledArchive {
  readonly file: SpooledFile;
  readonly fileHash: Hash;
  /** Of the archive itself. */
  readonly narHash: Hash;
  readonly narSize: number;
  readonly listing: NarListing;
}

export interface SpoolOptions {
  readonly directory: string;
  readonly compression: Compression;
  readonly level?: number | undefined;
}

/**
 * Write an archive to a temporary file, compressed, and find out everything about it on the way. The caller moves or removes
 * the file.
 *
 * @throws {CodedError} `nar.malformed`, `cache.compression-unsupported`
 */
export async function spoolArchive(
  nar: AsyncIterable<Uint8Array>,
  { directory, compression, level }: SpoolOptions,
): Promise<SpooledArchive> {
  const path = temporaryName(join(directory, "floe-nar"));
  const plain = makeHasher("sha256");
  const packed = compression === "none" ? plain : makeHasher("sha256");
  const lister = new NarLister();
  let narSize = 0;
  let sizeBytes = 0;
  const look = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of nar) {
      plain.update(piece);
      lister.push(piece);
      narSize += piece.length;
      yield piece;
    }
    lister.finish();
  };
  const measure = async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      if (packed !== plain) packed.update(piece);
      sizeBytes += piece.length;
      yield piece;
    }
  };
  try {
    const compressor = makeCompressor(compression, level);
    // Opened at once: a stream that opens later could make the file after it was removed.
    const target = createWriteStream("", { fd: openSync(path, "wx", 0o600) });
    if (compressor === undefined) await pipeline(look, measure, target);
    else await pipeline(look, compressor, measure, target);
    const narHash = plain.digest();
    const fileHash = packed === plain ? narHash : packed.digest();
    return { file: { path, sizeBytes, sha256: fileHash.digest }, fileHash, narHash, narSize, listing: lister.finish() };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}
