import { createReadStream } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { restoreNar } from "../files/index.ts";
import { LARGEST_UNPACKED_BYTES, limited } from "./limits.ts";
import { decompressXz } from "./xz.ts";

export interface PlaceFetchedOptions {
  /** The downloaded file; it may be moved away. */
  readonly file: string;
  readonly output: string;
  readonly executable: boolean;
  /** The file is an archive (NAR) of the output. */
  readonly unpack: boolean;
  /** The archive is compressed with xz. */
  readonly compressed: boolean;
  /** The most that the archive may unpack to. Default 64 GiB. */
  readonly limitBytes?: number;
}

/**
 * Make a downloaded file the output of `builtin:fetchurl`.
 *
 * @throws {CodedError} `nar.malformed`; `fetch.too-large` as soon as an archive unpacks to more than it may
 *
 * Source: Nix, `builtinFetchurl`.
 */
export async function placeFetched(options: PlaceFetchedOptions): Promise<void> {
  if (options.unpack) {
    const archive = createReadStream(options.file, { highWaterMark: 1 << 18 });
    const { limitBytes = LARGEST_UNPACKED_BYTES } = options;
    const plain = options.compressed ? decompressXz(archive) : archive;
    await restoreNar(limited(plain, limitBytes, `"${options.output}"`), options.output);
    return;
  }
  await chmod(options.file, options.executable ? 0o755 : 0o644);
  await rename(options.file, options.output);
}
