import type { Readable, Writable } from "node:stream";

/** Read ahead so far, then wait until somebody takes it. */
const AHEAD_BYTES = 1024 * 1024;

/** Bytes that come from another process or machine. */
export interface ByteSource extends AsyncIterable<Uint8Array> {
  /** Aborted as soon as no more bytes can come, also while nobody reads: the other side is gone, or has said all. */
  readonly ended: AbortSignal;
}

/**
 * The bytes of a stream, in pieces that stay as they are. A limited amount is read ahead, so that we notice when the other
 * side hangs up while we are busy for it. A stream that breaks ends.
 */
export function readBytes(stream: Readable): ByteSource {
  const pieces: Uint8Array[] = [];
  let waiting = 0;
  let wake: () => void = () => {};
  const controller = new AbortController();
  const end = (): void => {
    controller.abort();
    wake();
  };
  stream.on("data", (piece: Buffer) => {
    pieces.push(piece);
    waiting += piece.length;
    if (waiting > AHEAD_BYTES) stream.pause();
    wake();
  });
  stream.on("end", end);
  stream.on("close", end);
  stream.on("error", end);
  return {
    ended: controller.signal,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const piece = pieces.shift();
        if (piece !== undefined) {
          waiting -= piece.length;
          if (waiting <= AHEAD_BYTES && stream.isPaused()) stream.resume();
          yield piece;
        } else if (controller.signal.aborted) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}

/** Takes bytes for a stream; waits while the other side does not read. */
export function writeBytes(stream: Writable): { write(bytes: Uint8Array): Promise<void> } {
  let failure: Error | undefined;
  // Met by the next write; without a listener it would end the program.
  stream.on("error", (error) => {
    failure ??= error;
  });
  return {
    async write(bytes) {
      if (failure !== undefined) throw failure;
      if (stream.destroyed) throw new Error("the connection is closed");
      if (stream.write(bytes)) return;
      await new Promise<void>((resolve, reject) => {
        const settle = (): void => {
          stream.off("drain", settle);
          stream.off("close", settle);
          stream.off("error", settle);
          if (failure !== undefined) reject(failure);
          else resolve();
        };
        stream.on("drain", settle);
        stream.on("close", settle);
        stream.on("error", settle);
      });
    },
  };
}
