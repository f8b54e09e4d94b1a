import { createReadStream } from "node:fs";
import { chmod, rename } from "node:fs/promises";
import { restoreNar } from "../files/index.ts";
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
}

/** Make a downloaded file the output of `builtin:fetchurl`. Source: Nix, `builtinFetchurl`. */
export async function placeFetched(options: PlaceFetchedOptions): Promise<void> {
  if (options.unpack) {
    const archive = createReadStream(options.file, { highWaterMark: 1 << 18 });
    await restoreNar(options.compressed ? decompressXz(archive) : archive, options.output);
    return;
  }
  await chmod(options.file, options.executable ? 0o755 : 0o644);
  await rename(options.file, options.output);
}
