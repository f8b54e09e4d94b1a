import { open } from "node:fs/promises";
import { unpackTarball } from "./unpack-tarball.ts";
import type { UnpackOptions } from "./unpacking.ts";

/**
 * Unpack an archive of a source: zip, or tar in any compression. Its beginning tells, whatever its name is.
 *
 * @returns Seconds since 1970 of the newest entry; 0 when there is none.
 * @throws {CodedError} `fetch.bad-archive`, `fetch.too-large`, `cache.compression-malformed`
 */
export async function unpackArchive(options: UnpackOptions): Promise<{ readonly newestSeconds: number }> {
  if (!(await isZip(options.file))) return unpackTarball(options);
  const { unpackZip } = await import("./unpack-zip.ts");
  return unpackZip(options);
}

/** Of the first entry, or of the end of an archive without any. */
const BEGINNINGS = ["PK\x03\x04", "PK\x05\x06"];

async function isZip(file: string): Promise<boolean> {
  await using handle = await open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4));
  return BEGINNINGS.includes(buffer.toString("latin1", 0, bytesRead));
}
