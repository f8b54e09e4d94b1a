import { fromUtf8, type Hash, hashBytes, sortedText } from "../base/index.ts";
import type { ExportedInfo } from "./export-stream.ts";
import { NAR_TOKENS, narPadding } from "./nar-tokens.ts";
import { type StorePath, tryParseStorePath } from "./store-path.ts";

/** Stands between an archive and what is said of it. */
export const EXPORT_MAGIC = 0x4558494e;

/** An object of an export stream that is one file. */
export interface ExportedFile {
  readonly info: ExportedInfo;
  readonly executable: boolean;
  /** A view of the stream's own bytes. */
  readonly contents: Uint8Array;
  readonly narHash: Hash;
  /** Bytes. */
  readonly narSize: number;
}

/**
 * The objects that an export stream goes on with, as far as each is one file and lies in `bytes` as a whole. Streams of sources
 * and derivations are mostly these, and reading them at once costs a fraction of waiting for each of their numbers and texts.
 *
 * Whatever is incomplete or in any way unusual ends it, for the reader of the stream to judge.
 */
export function readExportedFiles(
  bytes: Uint8Array,
  storeDirectory: string,
): { readonly files: ExportedFile[]; readonly usedBytes: number } {
  const files: ExportedFile[] = [];
  const cursor = new Cursor(bytes, storeDirectory);
  let usedBytes = 0;
  for (let file = readFile(cursor); file !== undefined; file = readFile(cursor)) {
    files.push(file);
    usedBytes = cursor.at;
  }
  return { files, usedBytes };
}

function readFile(cursor: Cursor): ExportedFile | undefined {
  if (cursor.number() !== 1) return undefined;
  const narStart = cursor.at;
  if (!cursor.pass(NAR_TOKENS.start)) return undefined;
  const executable = cursor.pass(NAR_TOKENS.executable);
  if (!executable && !cursor.pass(NAR_TOKENS.file)) return undefined;
  const contents = cursor.string();
  if (contents === undefined || !cursor.pass(NAR_TOKENS.close)) return undefined;
  const nar = cursor.bytes.subarray(narStart, cursor.at);
  if (cursor.number() !== EXPORT_MAGIC) return undefined;
  const path = cursor.path();
  const count = cursor.number();
  if (path === undefined || count === undefined) return undefined;
  const references = new Set<StorePath>();
  for (let i = 0; i < count; i++) {
    const reference = cursor.path();
    if (reference === undefined) return undefined;
    references.add(reference);
  }
  const deriver = cursor.optionalPath();
  // Signatures, which only old versions wrote, are left to the other reader.
  if (deriver === undefined || cursor.number() !== 0) return undefined;
  return {
    info: {
      path,
      references: sortedText(references) as StorePath[],
      ...(deriver === "" ? {} : { deriver }),
    },
    executable,
    contents,
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
  };
}

/** Reads what a stream is made of from bytes; `undefined` stands for what is not there or not as it should be. */
class Cursor {
  readonly bytes: Uint8Array;
  at = 0;
  readonly #view: DataView;
  readonly #storeDirectory: string;

  constructor(bytes: Uint8Array, storeDirectory: string) {
    this.bytes = bytes;
    this.#storeDirectory = storeDirectory;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  number(): number | undefined {
    if (this.bytes.length - this.at < 8) return undefined;
    const value = this.#view.getUint32(this.at + 4, true) * 0x1_0000_0000 + this.#view.getUint32(this.at, true);
    this.at += 8;
    return value;
  }

  /** Whether these bytes stand here; they are passed over then. */
  pass(expected: Uint8Array): boolean {
    const { bytes, at } = this;
    if (bytes.length - at < expected.length) return false;
    for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
    this.at += expected.length;
    return true;
  }

  /** A length, so many bytes, and padding. */
  string(): Uint8Array | undefined {
    const size = this.number();
    if (size === undefined || size > this.bytes.length - this.at) return undefined;
    const string = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return this.pass(PADDINGS[narPadding(size)] as Uint8Array) ? string : undefined;
  }

  path(): StorePath | undefined {
    const bytes = this.string();
    return bytes === undefined ? undefined : tryParseStorePath(fromUtf8(bytes), this.#storeDirectory);
  }

  optionalPath(): StorePath | "" | undefined {
    return this.pass(NO_TEXT) ? "" : this.path();
  }
}

const NO_TEXT = new Uint8Array(8);
const PADDINGS = Array.from({ length: 8 }, (_, size) => new Uint8Array(size));
