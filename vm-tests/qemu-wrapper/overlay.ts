import { closeSync, fstatSync, openSync, readSync, writeFileSync } from "node:fs";
import { QemuError } from "./errors.ts";

export interface CreateOverlayOptions {
  /** Image that is read where nothing has been written; shared and left as it is. */
  readonly backing: string;
  /** Default: raw. */
  readonly backingFormat?: "raw" | "qcow2";
  readonly file: string;
}

const CLUSTER_BITS = 16;
const CLUSTER = 1 << CLUSTER_BITS;
const ENTRIES = CLUSTER / 8;
const SECTOR = 512;
const MAGIC = 0x514649fb;
const VERSION = 3;
const HEADER_BYTES = 104;
const BACKING_FORMAT = 0xe2792aca;
const LONGEST_NAME = 1023;
const REFCOUNT_ORDER = 4;

/**
 * Make a qcow2 image whose unwritten parts are read from another image, so that the latter can be shared and read-only.
 *
 * Shape: four clusters of 64 KiB, namely header, table of reference counts, one block of them, and the first-level table, all of whose
 * entries say "as in the backing image".
 *
 * @throws {QemuError} `qemu.overlay-failed` when the backing image cannot be read, is larger than 4 TiB or has a name of more than 1,023
 *   bytes, or when the file cannot be written.
 *
 * Source: QEMU, docs/interop/qcow2.txt.
 */
export function createOverlay({ backing, backingFormat = "raw", file }: CreateOverlayOptions): void {
  const fail = (why: string, cause?: unknown): QemuError =>
    new QemuError("qemu.overlay-failed", `Cannot make the overlay "${file}": ${why}`, { cause });
  try {
    const sizeBytes = readSize(backing, backingFormat);
    // One at least: a table without entries would be a cluster that nothing refers to.
    const tables = Math.max(1, Math.ceil(sizeBytes / (CLUSTER * ENTRIES)));
    if (tables > ENTRIES) throw fail(`"${backing}" is larger than 4 TiB`);
    const name = Buffer.from(backing);
    if (name.length > LONGEST_NAME) throw fail(`"${backing}" has more than ${LONGEST_NAME} bytes`);
    writeFileSync(file, makeOverlay({ sizeBytes, tables, name, format: Buffer.from(backingFormat) }), { mode: 0o600 });
  } catch (error) {
    throw error instanceof QemuError ? error : fail((error as Error).message, error);
  }
}

interface Overlay {
  readonly sizeBytes: number;
  /** Entries of the first-level table. */
  readonly tables: number;
  readonly name: Buffer;
  readonly format: Buffer;
}

function makeOverlay({ sizeBytes, tables, name, format }: Overlay): Buffer {
  const image = Buffer.alloc(4 * CLUSTER);
  const extensionBytes = 8 + Math.ceil(format.length / 8) * 8;
  // An extension of type 0 ends the list.
  const nameOffset = HEADER_BYTES + extensionBytes + 8;
  image.writeUInt32BE(MAGIC, 0);
  image.writeUInt32BE(VERSION, 4);
  image.writeBigUInt64BE(BigInt(nameOffset), 8);
  image.writeUInt32BE(name.length, 16);
  image.writeUInt32BE(CLUSTER_BITS, 20);
  image.writeBigUInt64BE(BigInt(sizeBytes), 24);
  image.writeUInt32BE(tables, 36);
  image.writeBigUInt64BE(BigInt(3 * CLUSTER), 40);
  image.writeBigUInt64BE(BigInt(CLUSTER), 48);
  image.writeUInt32BE(1, 56);
  image.writeUInt32BE(REFCOUNT_ORDER, 96);
  image.writeUInt32BE(HEADER_BYTES, 100);
  image.writeUInt32BE(BACKING_FORMAT, HEADER_BYTES);
  image.writeUInt32BE(format.length, HEADER_BYTES + 4);
  format.copy(image, HEADER_BYTES + 8);
  name.copy(image, nameOffset);
  image.writeBigUInt64BE(BigInt(2 * CLUSTER), CLUSTER);
  for (let cluster = 0; cluster < 4; cluster++) image.writeUInt16BE(1, 2 * CLUSTER + 2 * cluster);
  return image;
}

/** Size of the disk an image holds; of a raw one, rounded up to whole sectors. */
function readSize(file: string, format: "raw" | "qcow2"): number {
  const fd = openSync(file, "r");
  try {
    if (format === "raw") return Math.ceil(fstatSync(fd).size / SECTOR) * SECTOR;
    const head = Buffer.alloc(32);
    readSync(fd, head, 0, head.length, 0);
    if (head.readUInt32BE(0) !== MAGIC)
      throw new QemuError("qemu.overlay-failed", `Cannot read "${file}": it is no qcow2 image`);
    return Number(head.readBigUInt64BE(24));
  } finally {
    closeSync(fd);
  }
}
