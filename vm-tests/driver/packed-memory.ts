import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";

const PAGE_BYTES = 4096;
/** The most that one piece has. */
const PIECE_BYTES = 1 << 20;
/** So many empty pages between two others are kept with them. */
const GAP_PAGES = 8;
const HEADER_BYTES = 16;

const EMPTY = Buffer.alloc(PIECE_BYTES);

/**
 * Write down a guest's memory without its empty pages, since an object of the store has no holes.
 *
 * Shape: u64 size of the memory in bytes; then pieces in their order: u64 place, u64 length, and as many bytes. Numbers are little endian.
 */
export function packMemory(from: string, to: string): void {
  const [source, target] = [openSync(from, "r"), openSync(to, "wx", 0o600)];
  try {
    const { size } = fstatSync(source);
    writeFileSync(target, numbers(size));
    const read = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < size; at += PIECE_BYTES) {
      const part = read.subarray(0, readSync(source, read, 0, PIECE_BYTES, at));
      for (const [begin, end] of usedParts(part)) {
        writeFileSync(target, Buffer.concat([numbers(at + begin, end - begin), part.subarray(begin, end)]));
      }
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** Make the memory's file again, with holes for the empty pages. @throws {Error} when what was written down is not whole. */
export function unpackMemory(from: string, to: string): void {
  const [source, target] = [openSync(from, "r"), openSync(to, "wx", 0o600)];
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    const read = (length: number): Buffer => {
      const part = piece.subarray(0, length);
      if (length > PIECE_BYTES || readSync(source, part) !== length)
        throw new Error(`the memory in "${from}" is not whole`);
      return part;
    };
    ftruncateSync(target, numberAt(read(8), 0));
    const { size } = fstatSync(source);
    for (let left = size - 8; left > 0; ) {
      const header = read(HEADER_BYTES);
      const [place, length] = [numberAt(header, 0), numberAt(header, 8)];
      const bytes = read(length);
      for (let done = 0; done < length; ) done += writeSync(target, bytes, done, length - done, place + done);
      left -= HEADER_BYTES + length;
    }
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

/** Where a part of the memory has anything, in whole pages. */
function usedParts(part: Buffer): [begin: number, end: number][] {
  const parts: [number, number][] = [];
  if (part.equals(EMPTY.subarray(0, part.length))) return parts;
  for (let at = 0; at < part.length; at += PAGE_BYTES) {
    const page = part.subarray(at, at + PAGE_BYTES);
    if (page.equals(EMPTY.subarray(0, page.length))) continue;
    const last = parts.at(-1);
    if (last !== undefined && at - last[1] <= GAP_PAGES * PAGE_BYTES) last[1] = at + page.length;
    else parts.push([at, at + page.length]);
  }
  return parts;
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * index);
  return bytes;
}

function numberAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}
