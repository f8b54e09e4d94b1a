import { CodedError } from "../../base/index.ts";

/** How an archive file can be compressed. `lzip` and `lz4` can only be read. */
export type Compression = "none" | "xz" | "bzip2" | "gzip" | "zstd" | "br" | "lzip" | "lz4";

/** Ends of file names. Source: Nix, `src/libstore/binary-cache-store.cc`; gzip really has none. */
const EXTENSIONS: Readonly<Record<Compression, string>> = {
  none: "",
  xz: ".xz",
  bzip2: ".bz2",
  gzip: "",
  zstd: ".zst",
  br: ".br",
  lzip: ".lzip",
  lz4: ".lz4",
};

/** Those that need no program. */
export const COMPRESSIONS_OF_NODE: readonly Compression[] = ["none", "zstd", "gzip", "br"];

export function compressionExtension(compression: Compression): string {
  return EXTENSIONS[compression];
}

/**
 * Check the name of a compression, as a narinfo or an address gives it.
 *
 * @throws {CodedError} `cache.compression-unknown`
 */
export function parseCompression(name: string): Compression {
  if (Object.hasOwn(EXTENSIONS, name)) return name as Compression;
  throw new CodedError(
    "cache.compression-unknown",
    `Cannot use the compression ${JSON.stringify(name)}: expected ${Object.keys(EXTENSIONS).join(", ")}`,
  );
}

/** What files of each compression begin with. */
const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["lzip", [0x4c, 0x5a, 0x49, 0x50]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
];

/** Bytes that {@link detectCompression} looks at. */
export const MAGIC_BYTES = 6;

/**
 * How a file is really compressed. As in Nix, only the names `none` and `br` are believed; any other is decided by how the
 * file begins, and a file that begins like none of them is not compressed.
 *
 * @param head At least {@link MAGIC_BYTES} bytes, less only when there are no more.
 */
export function detectCompression(name: string, head: Uint8Array): Compression {
  if (name === "none" || name === "br") return name;
  if (name === "zstd" && isSkippableFrame(head)) return name;
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte));
  return found?.[0] ?? "none";
}

/** Whether a file begins with a frame of zstd that holds nothing: those who compress in parallel write their own facts there. lz4 has the same. */
function isSkippableFrame([first = 0, ...rest]: Uint8Array): boolean {
  return (first & 0xf0) === 0x50 && [0x2a, 0x4d, 0x18].every((byte, i) => rest[i] === byte);
}

/** An archive that cannot be unpacked. */
export function malformedArchive(name: Compression, cause: unknown): CodedError {
  return new CodedError(
    "cache.compression-malformed",
    `Cannot unpack the archive: it is no whole ${name} file (${cause instanceof Error ? cause.message : String(cause)})`,
    { cause },
  );
}
