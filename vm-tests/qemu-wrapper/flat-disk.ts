import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { QemuError } from "./errors.ts";

const MAGIC = 0x514649fb;
const OFFSET = 0x00fffffffffffe00n;
const COMPRESSED = 1n << 62n;
const READS_AS_ZEROS = 1n;
/** Flags that change how the data is laid out: an external data file, another compression, subclusters. */
const UNKNOWN_LAYOUT = 0b11100n;
const COPY_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(COPY_BYTES);

/**
 * Write what a disk holds as a raw image, sparse where nothing was written. The image is a qcow2 file, whose unwritten parts come from its
 * backing image; QEMU must not be writing to it.
 *
 * @throws {QemuError} `qemu.flatten-failed` for an image of a kind that `createOverlay` does not make.
 *
 * Source: QEMU, docs/interop/qcow2.txt.
 */
export function flattenDisk(image: string, to: string): void {
  const target = openSync(to, "w", 0o600);
  try {
    ftruncateSync(target, layDown(image, target));
  } finally {
    closeSync(target);
  }
}

/** Write an image over what is in the target already, the backing image first. @returns the disk's size. */
function layDown(image: string, target: number): number {
  const source = openSync(image, "r");
  try {
    const head = Buffer.alloc(112);
    readSync(source, head, 0, head.length, 0);
    if (head.readUInt32BE(0) !== MAGIC) return copyRaw(source, target);
    const fail = (why: string): QemuError =>
      new QemuError("qemu.flatten-failed", `Cannot read the disk "${image}": ${why}`);
    if (head.readUInt32BE(32) !== 0) throw fail("it is encrypted");
    if (head.readUInt32BE(4) >= 3 && (head.readBigUInt64BE(72) & UNKNOWN_LAYOUT) !== 0n)
      throw fail("its data is laid out in another way");
    const name = Buffer.alloc(head.readUInt32BE(16));
    readSync(source, name, 0, name.length, Number(head.readBigUInt64BE(8)));
    if (name.length > 0) layDown(name.toString(), target);
    const sizeBytes = Number(head.readBigUInt64BE(24));
    const cluster = 1 << head.readUInt32BE(20);
    const tables = readTable(source, Number(head.readBigUInt64BE(40)), head.readUInt32BE(36));
    const entries = cluster / 8;
    for (const [table, place] of tables.entries()) {
      if ((place & OFFSET) === 0n) continue;
      for (const [index, entry] of readTable(source, Number(place & OFFSET), entries).entries()) {
        if (entry === 0n) continue;
        if ((entry & COMPRESSED) !== 0n) throw fail("it is compressed");
        const at = (table * entries + index) * cluster;
        const bytes = Buffer.alloc(Math.min(cluster, sizeBytes - at));
        if ((entry & READS_AS_ZEROS) === 0n) readSync(source, bytes, 0, bytes.length, Number(entry & OFFSET));
        writeSync(target, bytes, 0, bytes.length, at);
      }
    }
    return sizeBytes;
  } finally {
    closeSync(source);
  }
}

function readTable(fd: number, at: number, count: number): readonly bigint[] {
  const bytes = Buffer.alloc(8 * count);
  readSync(fd, bytes, 0, bytes.length, at);
  return Array.from({ length: count }, (_, index) => bytes.readBigUInt64BE(8 * index));
}

function copyRaw(source: number, target: number): number {
  const { size } = fstatSync(source);
  const bytes = Buffer.alloc(COPY_BYTES);
  for (let at = 0; at < size; at += COPY_BYTES) {
    const length = readSync(source, bytes, 0, COPY_BYTES, at);
    const part = bytes.subarray(0, length);
    if (!part.equals(ZEROS.subarray(0, length))) writeSync(target, part, 0, length, at);
  }
  return size;
}
