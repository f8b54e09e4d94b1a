const BLOCK_BYTES = 256 * 1024;

/** Blocks of queues that have ended. */
const spare: Uint8Array[] = [];
const MOST_SPARE = 16;

interface Block {
  readonly bytes: Uint8Array;
  used: number;
}

/**
 * Pieces that wait to be taken, in memory that is used again: what is put is copied, short pieces behind each other, and what is taken
 * holds until the next is taken.
 */
export class PieceQueue {
  readonly #blocks: Block[] = [];
  /** The block that was taken last. */
  #lent: Block | undefined;

  put(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      let last = this.#blocks.at(-1);
      if (last === undefined || last.used === BLOCK_BYTES) {
        last = { bytes: spare.pop() ?? new Uint8Array(BLOCK_BYTES), used: 0 };
        this.#blocks.push(last);
      }
      const part = piece.subarray(at, at + BLOCK_BYTES - last.used);
      last.bytes.set(part, last.used);
      last.used += part.length;
      at += part.length;
    }
  }

  /** The next bytes; `undefined` when none wait. */
  take(): Uint8Array | undefined {
    this.#giveBack();
    const block = this.#blocks.shift();
    if (block === undefined) return undefined;
    this.#lent = block;
    return block.bytes.subarray(0, block.used);
  }

  /** Nothing is put or taken any more, and what was taken is not looked at. */
  close(): void {
    this.#giveBack();
    while (this.#blocks.length > 0) this.take();
    this.#giveBack();
  }

  #giveBack(): void {
    if (this.#lent !== undefined && spare.length < MOST_SPARE) spare.push(this.#lent.bytes);
    this.#lent = undefined;
  }
}
