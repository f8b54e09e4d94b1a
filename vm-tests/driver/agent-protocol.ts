/**
 * The bytes between the driver and `floe-agent`.
 *
 * Shape: `u32 length | u8 type | u32 stream | payload`, little endian, the length counting what follows it. A length of zero
 * never occurs, so the sixteen bytes of {@link SYNC} mark a place where framing starts again after something was lost.
 */

/** Written by each side before its first frame; what a reader sees before it is not for it. */
export const SYNC = Buffer.from("\0\0\0\0FLOE-SYNC-1\n", "latin1");

/** No frame is longer; a larger length means that framing was lost. */
export const MAX_FRAME_BYTES = 1 << 20;

/** Payload of one frame of data. */
export const CHUNK_BYTES = 32 << 10;

/** Bytes either side may send ahead of what the other has taken, for input of commands and for both directions of connections. */
export const WINDOW_BYTES = 256 << 10;

/** Raised with every change of meaning; an agent's `hello` has to begin with it. */
export const PROTOCOL_VERSION = "2";

/**
 * What a frame means. The numbers are the protocol; `pkgs/by-name/fl/floe-agent/src/agent.h` has the same. Texts end in NUL, lists are
 * a u32 and that many texts, numbers are little endian.
 */
export const FRAME = {
  /** To the guest: u32, a number no earlier host used. Everything older ends, and `hello` answers. */
  epoch: 0x01,
  /** To the host: lines of name=value. Sent by itself when an agent starts, and in answer to `epoch`. */
  hello: 0x02,
  ping: 0x03,
  pong: 0x04,
  /** Arguments, environment (two lists), working directory, user (two texts), u8 terminal, u16 rows, u16 columns. */
  exec: 0x10,
  /** Bytes for a command or a connection; none is the end of them. */
  stdin: 0x11,
  /** u32 signal to a command's process group; ends any other stream. */
  kill: 0x12,
  /** u16 rows, u16 columns. */
  resize: 0x13,
  /** A command runs (u32 process id), or a connection stands. */
  started: 0x20,
  /** Bytes from a command or a connection; of a connection, none is the end of them. */
  stdout: 0x21,
  stderr: 0x22,
  /** u8 kind (0 exited, 1 signalled, 2 not started), u32 status, signal or error number, u64 microseconds, u8 output held open. */
  exited: 0x23,
  /** u32 bytes of `stdin` that were taken. */
  stdinRead: 0x24,
  /** u32 bytes of a connection's `stdout` that were taken. */
  stdoutRead: 0x25,
  /** u32 mode, path. `putData` and `putHole` (u64 bytes) follow, then `putEnd`, which `done` answers. */
  put: 0x30,
  putData: 0x31,
  putEnd: 0x32,
  /** Path. `getData` and `getHole` (u64 bytes) answer, then `getEnd` (u32 mode). */
  get: 0x33,
  getData: 0x34,
  getEnd: 0x35,
  putHole: 0x36,
  getHole: 0x37,
  /** Bytes for the kernel's random generator. */
  reseed: 0x40,
  /** u64 nanoseconds since 1970. */
  setClock: 0x41,
  done: 0x50,
  /** u32 error number, and words without NUL. */
  failed: 0x51,
  /** Address or path, u32 port (0 for a path). `started` answers; `done` when both directions have ended. */
  connect: 0x60,
  /** Kind, what, extra (three texts), u8 whether its end is awaited. `seen` tells what is so instead, `done` when it is so. */
  watch: 0x61,
  seen: 0x62,
} as const;

/** One message. */
export interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** The bytes of one message. */
export function encodeFrame(type: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.allocUnsafe(9 + payload.length);
  bytes.writeUInt32LE(5 + payload.length, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** A list as `exec` takes it: a count, then texts that end in NUL. */
export function encodeList(texts: readonly string[]): Buffer {
  return Buffer.concat([encodeNumber(texts.length), ...texts.map(encodeText)]);
}

/** A text that ends in NUL. */
export function encodeText(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** A u16. */
export function encodeShort(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** A u64. */
export function encodeLong(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** A u32. */
export function encodeNumber(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** Cuts a byte stream into frames, and finds its place again after a {@link SYNC}. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #synced = false;

  /** The frames that are complete with these bytes. */
  push(data: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const frames: Frame[] = [];
    while (this.#rest.length >= 4) {
      const length = this.#rest.readUInt32LE(0);
      if (this.#synced && length >= 5 && length <= MAX_FRAME_BYTES) {
        if (this.#rest.length < 4 + length) break;
        frames.push({
          type: this.#rest.readUInt8(4),
          stream: this.#rest.readUInt32LE(5),
          payload: this.#rest.subarray(9, 4 + length),
        });
        this.#rest = this.#rest.subarray(4 + length);
      } else if (!this.#findSync(length === 0)) break;
    }
    return frames;
  }

  /** Go on after the next mark; `false` when it is not here yet. */
  #findSync(maybeHere: boolean): boolean {
    const at = this.#rest.indexOf(SYNC);
    if (at >= 0) {
      this.#rest = this.#rest.subarray(at + SYNC.length);
      this.#synced = true;
      return true;
    }
    if (this.#synced && maybeHere && this.#rest.length < SYNC.length) return false;
    this.#synced = false;
    // The mark may lie across two reads, so its longest possible beginning stays.
    if (this.#rest.length >= SYNC.length) this.#rest = this.#rest.subarray(this.#rest.length - (SYNC.length - 1));
    return false;
  }
}
