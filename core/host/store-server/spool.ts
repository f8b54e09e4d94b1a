import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { NarSpool } from "../../store/index.ts";
import { makeScratch } from "../files/index.ts";

/** Up to here nothing is written to the disk. */
const MEMORY_BYTES = 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

/**
 * Bytes that are taken in whole before anything can be done with them: their hash decides where they belong. Small ones stay
 * in memory, the others go to a temporary file without a name, so that nothing is left of them however we end.
 */
export class Spool implements NarSpool, Disposable {
  #pieces: Uint8Array[] = [];
  #fd: number | undefined;
  #sizeBytes = 0;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  write(piece: Uint8Array): void {
    this.#sizeBytes += piece.length;
    if (this.#fd === undefined) {
      this.#pieces.push(piece);
      if (this.#sizeBytes <= MEMORY_BYTES) return;
      this.#fd = openUnnamed();
      for (const held of this.#pieces) writeAll(this.#fd, held);
      this.#pieces = [];
    } else writeAll(this.#fd, piece);
  }

  /** Everything that was written, as often as you like. */
  async *read(): AsyncGenerator<Uint8Array> {
    yield* this.#pieces;
    if (this.#fd === undefined) return;
    for (let at = 0; at < this.#sizeBytes; ) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, this.#sizeBytes - at));
      const size = readSync(this.#fd, piece, 0, piece.length, at);
      at += size;
      yield piece.subarray(0, size);
    }
  }

  /** Everything that was written, once; then the spool is empty and takes the next. */
  async *take(): AsyncGenerator<Uint8Array> {
    using taken = new Spool();
    taken.#pieces = this.#pieces;
    taken.#fd = this.#fd;
    taken.#sizeBytes = this.#sizeBytes;
    this.#pieces = [];
    this.#fd = undefined;
    this.#sizeBytes = 0;
    yield* taken.read();
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#pieces = [];
  }
}

function openUnnamed(): number {
  const folder = makeScratch("spool");
  try {
    return openSync(join(folder, "bytes"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
