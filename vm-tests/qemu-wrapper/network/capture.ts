import { closeSync, openSync, renameSync, writeSync } from "node:fs";

/** A frame that went through a network, and when. */
export interface CapturedFrame {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly frame: Uint8Array;
}

export interface CaptureOptions {
  readonly file: string;
  /** Bytes after which a new file begins, so that a capture holds the last one to two of these. Default: 32 MiB. */
  readonly limitBytes?: number;
}

const MICROSECONDS = 0xa1b2c3d4;
const ETHERNET = 1;
const HEADER_BYTES = 24;
const RECORD_BYTES = 16;
const SNAP_BYTES = 262_144;

/**
 * Writes frames as `tcpdump` and Wireshark read them.
 *
 * Shape: pcap 2.4, little-endian, microseconds, Ethernet. When the file is full it becomes `FILE.old`, in place of an older one.
 *
 * Source: "PCAP Capture File Format", draft-ietf-opsawg-pcap.
 */
export class Capture {
  readonly #file: string;
  readonly #limitBytes: number;
  #fd: number;
  #sizeBytes = HEADER_BYTES;

  constructor({ file, limitBytes = 32 * 1024 * 1024 }: CaptureOptions) {
    this.#file = file;
    this.#limitBytes = limitBytes;
    this.#fd = begin(file);
  }

  write({ timeMs, frame }: CapturedFrame): void {
    const record = Buffer.alloc(RECORD_BYTES + frame.length);
    if (this.#sizeBytes > HEADER_BYTES && this.#sizeBytes + record.length > this.#limitBytes) this.#turnOver();
    const seconds = Math.floor(timeMs / 1000);
    record.writeUInt32LE(seconds, 0);
    record.writeUInt32LE(Math.min(999_999, Math.floor((timeMs - seconds * 1000) * 1000)), 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    record.set(frame, RECORD_BYTES);
    writeSync(this.#fd, record);
    this.#sizeBytes += record.length;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #turnOver(): void {
    closeSync(this.#fd);
    renameSync(this.#file, `${this.#file}.old`);
    this.#fd = begin(this.#file);
    this.#sizeBytes = HEADER_BYTES;
  }
}

function begin(file: string): number {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MICROSECONDS, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(SNAP_BYTES, 16);
  header.writeUInt32LE(ETHERNET, 20);
  const fd = openSync(file, "w");
  writeSync(fd, header);
  return fd;
}
