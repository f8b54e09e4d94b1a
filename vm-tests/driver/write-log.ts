import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { CodedError } from "../../core/base/index.ts";

/** One thing a disk was told. */
export interface LoggedWrite {
  /** Where it goes, and where its bytes lie in the log. */
  readonly offset: number;
  readonly sizeBytes: number;
  readonly logOffset: number;
  /** All that was written before is safe from now on. */
  readonly flush: boolean;
  /** It is safe itself. */
  readonly durable: boolean;
  /** Its range reads as zeros; it has no bytes in the log. */
  readonly discard: boolean;
}

const MAGIC = 0x6a736677736872n;
const SECTOR_BYTES = 512;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;

/**
 * Read a log of writes.
 *
 * Shape: a first sector with magic number, version 1, number of entries and size of a sector; then entries, each a sector with place and
 * length in sectors of 512 bytes, flags and length of data, and the data from the next sector on. Numbers are little-endian of 64 bits. The
 * number of entries is written now and then only, so they are read until one is not complete.
 *
 * @throws {CodedError} `write-log.malformed`
 *
 * Source: Linux, `drivers/md/dm-log-writes.c`; QEMU, `block/blklogwrites.c`.
 */
export function readWriteLog(file: string): LoggedWrite[] {
  const fd = openSync(file, "r");
  try {
    const { size } = fstatSync(fd);
    const head = Buffer.alloc(32);
    readSync(fd, head, 0, 32, 0);
    const sector = head.readUInt32LE(24);
    if (head.readBigUInt64LE(0) !== MAGIC || head.readBigUInt64LE(8) !== 1n || sector < SECTOR_BYTES)
      throw new CodedError(
        "write-log.malformed",
        `Cannot read "${file}" as a log of writes: it does not begin like one`,
      );
    const writes: LoggedWrite[] = [];
    for (let at = sector; at + sector <= size; ) {
      const entry = Buffer.alloc(32);
      readSync(fd, entry, 0, 32, at);
      const flags = entry.readBigUInt64LE(16);
      const sizeBytes = Number(entry.readBigUInt64LE(8)) * SECTOR_BYTES;
      const discard = (flags & DISCARD) !== 0n;
      const data = discard ? 0 : Math.ceil(sizeBytes / sector) * sector;
      const isEmpty = sizeBytes === 0 && flags === 0n;
      if (isEmpty || at + sector + data > size) break;
      writes.push({
        offset: Number(entry.readBigUInt64LE(0)) * SECTOR_BYTES,
        sizeBytes,
        logOffset: at + sector,
        flush: (flags & FLUSH) !== 0n,
        durable: (flags & FUA) !== 0n,
        discard,
      });
      at += sector + data;
    }
    return writes;
  } finally {
    closeSync(fd);
  }
}
