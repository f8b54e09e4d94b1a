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

/** Bytes of standard input the agent keeps for a command that has not read them yet. */
export const STDIN_WINDOW_BYTES = 256 << 10;

/** What a frame means. The numbers are the protocol; `pkgs/by-name/fl/floe-agent/src/agent.c` has the same. */
export const FRAME = {
  epoch: 0x01,
  hello: 0x02,
  ping: 0x03,
  pong: 0x04,
  exec: 0x10,
  stdin: 0x11,
  kill: 0x12,
  started: 0x20,
  stdout: 0x21,
  stderr: 0x22,
  exited: 0x23,
  stdinRead: 0x24,
  put: 0x30,
  putData: 0x31,
  putEnd: 0x32,
  get: 0x33,
  getData: 0x34,
  getEnd: 0x35,
  reseed: 0x40,
  setClock: 0x41,
  done: 0x50,
  failed: 0x51,
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
