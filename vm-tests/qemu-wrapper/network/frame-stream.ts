import { QemuError } from "../errors.ts";

/** The longest frame QEMU sends by a stream: 64 KiB and its own reserve. */
export const LONGEST_FRAME_BYTES = 69_632;

/** Two addresses and a type: less is no Ethernet frame. */
export const SHORTEST_FRAME_BYTES = 14;

/**
 * A frame as QEMU's `stream` and `socket` network devices send it.
 *
 * Shape: length as u32, big-endian; then the frame without its check sequence.
 *
 * Source: QEMU, `net/stream.c`.
 */
export function encodeFrame(frame: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + frame.length);
  bytes.writeUInt32BE(frame.length, 0);
  bytes.set(frame, 4);
  return bytes;
}

/** Cuts such a stream into its frames. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * The frames that are complete with these bytes.
   *
   * @throws {QemuError} `network.malformed` for a length that no frame has: what follows can't be told apart any more.
   */
  push(data: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const frames: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length > LONGEST_FRAME_BYTES) {
        throw new QemuError(
          "network.malformed",
          `Cannot read a network's stream: found a frame of ${length} bytes, expected ${LONGEST_FRAME_BYTES} at most`,
        );
      }
      if (bytes.length - at < 4 + length) break;
      frames.push(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}
