import { mkdirSync } from "node:fs";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type Entry as ZipEntry, openPromise } from "yauzl";
import { CodedError } from "../../base/index.ts";
import { LARGEST_UNPACKED_BYTES } from "./limits.ts";
import { badArchive, type Entry, type UnpackOptions, Unpacking } from "./unpacking.ts";

/** Longer than any path a link may lead to. */
const LONGEST_TARGET_BYTES = 4096;
/** Of the rights of Unix, what says the kind of a file. */
const KINDS: Readonly<Record<number, string>> = { 0: "file", 0o04: "directory", 0o10: "file", 0o12: "symlink" };

/**
 * Unpack a zip archive of a source. See {@link Unpacking} for what becomes of its entries. Times are taken as UTC, so that every machine
 * finds the same; those with two seconds' precision alone, which have no zone, too.
 *
 * @returns Seconds since 1970 of the newest entry; 0 when there is none.
 * @throws {CodedError} `fetch.bad-archive`, `fetch.too-large`
 *
 * Source: APPNOTE.TXT of PKWARE; Info-ZIP for the rights of Unix.
 */
export async function unpackZip(options: UnpackOptions): Promise<{ readonly newestSeconds: number }> {
  const { file, to, what, signal, limitBytes = LARGEST_UNPACKED_BYTES } = options;
  const unpacking = new Unpacking(options);
  let leftBytes = limitBytes;
  mkdirSync(to);
  try {
    const zip = await openPromise(file, { autoClose: false, decodeStrings: false });
    try {
      for await (const entry of zip.eachEntry()) {
        signal?.throwIfAborted();
        // What an archive says of a size is checked while its contents are read.
        leftBytes -= entry.uncompressedSize;
        if (leftBytes < 0)
          throw new CodedError("fetch.too-large", `Cannot unpack ${what}: found more than ${limitBytes} bytes`, {
            exitCode: 100,
          });
        const header = headerOf(entry);
        if (header.type === "directory") {
          await unpacking.take(header, Readable.from([]));
          continue;
        }
        if (entry.isEncrypted()) throw badArchive(what, `found "${header.name}", which is encrypted`);
        const contents = await zip.openReadStreamPromise(entry);
        if (header.type !== "symlink") await unpacking.take(header, contents);
        else if (entry.uncompressedSize > LONGEST_TARGET_BYTES)
          throw badArchive(what, `found "${header.name}", a link to more than ${LONGEST_TARGET_BYTES} bytes`);
        else await unpacking.take({ ...header, linkname: await text(contents) }, Readable.from([]));
      }
    } finally {
      zip.close();
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CodedError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw badArchive(what, (error as Error).message);
  }
  unpacking.finish();
  return { newestSeconds: unpacking.newestSeconds };
}

function headerOf(entry: ZipEntry): Entry {
  const { fileNameRaw, uncompressedSize: size, externalFileAttributes, versionMadeBy } = entry;
  // What was packed on a system that is no Unix has no rights; a folder is what its name says, perhaps with backslashes.
  const isUnix = versionMadeBy >>> 8 === 3;
  const mode = isUnix ? externalFileAttributes >>> 16 : 0;
  // Packers on Unix write the bytes of a name and do not always say that they are UTF-8.
  const written = fileNameRaw.toString("utf8");
  const name = isUnix ? written : written.replaceAll("\\", "/");
  const type = name.endsWith("/") ? "directory" : (KINDS[mode >>> 12] ?? "thing of an unknown kind");
  return { name, size, mode, type, mtime: entry.getLastModDate({ timezone: "UTC" }) };
}
