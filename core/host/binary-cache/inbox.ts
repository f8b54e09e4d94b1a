import type { IncomingMessage } from "node:http";
import { stopTaking, takeFrom, type Taker } from "./kept-reading.ts";
import { PieceQueue } from "./piece-queue.ts";

/** So many bytes may wait to be taken; then the sender has to wait. */
const LONGEST_QUEUE_BYTES = 1024 * 1024;

/**
 * What an answer brings, piece by piece. Several pieces come in one turn of the event loop: taking those that are there needs no
 * promise for each, which the stream's own iterator makes.
 */
export class Inbox implements Taker {
  readonly #stream: IncomingMessage;
  readonly #socket: IncomingMessage["socket"];
  /** Where pieces hold until the next is taken; they are kept as they come otherwise. */
  readonly #queue: PieceQueue | undefined;
  readonly #pieces: Uint8Array[] = [];
  #queuedBytes = 0;
  #isOver = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  /** @param reuse Whether a piece has to hold only until the next one is taken. */
  constructor(stream: IncomingMessage, { reuse }: { readonly reuse: boolean }) {
    this.#stream = stream;
    this.#socket = stream.socket;
    this.#queue = reuse ? new PieceQueue() : undefined;
    stream.on("data", (piece: Uint8Array) => {
      if (this.#queue === undefined) this.#pieces.push(piece);
      else this.#queue.put(piece);
      this.#queuedBytes += piece.length;
      if (!this.usesAtOnce) this.settle();
      this.#wakeUp();
    });
    stream.on("end", () => this.#end());
    // Whether it came to its end is for the caller to see.
    stream.on("close", () => this.#end());
    stream.on("error", (error) => {
      this.#failure ??= error;
      this.#end();
    });
    // A whole answer may have given its connection back already.
    if (reuse && !stream.complete && !stream.destroyed) takeFrom(this.#socket, this);
    if (stream.destroyed) this.#end();
  }

  /**
   * While the stream holds nothing back, a piece goes through it within the call that brings it. It must not be asked to wait before
   * that call has ended, see {@link settle}: it would keep the rest of a piece that does not last.
   */
  get usesAtOnce(): boolean {
    const { readableFlowing, readableLength } = this.#stream;
    return this.#queue !== undefined && readableFlowing === true && readableLength === 0;
  }

  /** Let the sender wait when enough waits here. */
  settle(): void {
    if (this.#queuedBytes >= LONGEST_QUEUE_BYTES) this.#stream.pause();
  }

  /** The next piece, if it is there. @throws what the stream failed with, after its last piece */
  take(): Uint8Array | undefined {
    const piece = this.#queue === undefined ? this.#pieces.shift() : this.#queue.take();
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
    return this.#isOver && this.#queuedBytes === 0;
  }

  /** Wait until there is something to {@link take}, or it is over. */
  more(): Promise<void> {
    if (this.#isOver || this.#queuedBytes > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Nobody takes anything any more. The stream has come to its end, or is given up. */
  close(): void {
    stopTaking(this.#socket, this);
    this.#queue?.close();
  }

  #end(): void {
    this.#isOver = true;
    stopTaking(this.#socket, this);
    this.#wakeUp();
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
