import type { Readable } from "node:stream";

/** So many bytes may wait to be taken; then the sender has to wait. */
const LONGEST_QUEUE_BYTES = 1024 * 1024;

/**
 * What a stream brings, piece by piece. Several pieces come in one turn of the event loop: taking those that are there needs no
 * promise for each, which the stream's own iterator makes.
 */
export class Inbox {
  readonly #stream: Readable;
  readonly #pieces: Uint8Array[] = [];
  #queuedBytes = 0;
  #isOver = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on("data", (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#queuedBytes += piece.length;
      if (this.#queuedBytes >= LONGEST_QUEUE_BYTES) stream.pause();
      this.#wakeUp();
    });
    stream.on("end", () => this.#end());
    // Whether it came to its end is for the caller to see.
    stream.on("close", () => this.#end());
    stream.on("error", (error) => {
      this.#failure ??= error;
      this.#end();
    });
    if (stream.destroyed) this.#end();
  }

  /** The next piece, if it is there. @throws what the stream failed with, after its last piece */
  take(): Uint8Array | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) {
      if (this.#failure !== undefined) throw this.#failure;
      return undefined;
    }
    this.#queuedBytes -= piece.length;
    if (this.#queuedBytes < LONGEST_QUEUE_BYTES / 2 && this.#stream.isPaused()) this.#stream.resume();
    return piece;
  }

  /** Whether nothing more comes. */
  get isOver(): boolean {
    return this.#isOver && this.#pieces.length === 0;
  }

  /** Wait until there is something to {@link take}, or it is over. */
  more(): Promise<void> {
    if (this.#isOver || this.#pieces.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
