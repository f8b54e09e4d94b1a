import { readSync } from "node:fs";

const CHUNK_BYTES = 1 << 20;
const PAUSE_MS = 5;

/** Lines of a pipe, read one by one; the process waits for each. */
export class LineInput {
  readonly #descriptor: number;
  readonly #chunk = Buffer.alloc(CHUNK_BYTES);
  #parts: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** The next line without its break; `undefined` when nobody writes any more. */
  next(): string | undefined {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = Buffer.concat([...this.#parts, this.#rest.subarray(0, end)]).toString("utf8");
        this.#parts = [];
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      this.#parts.push(this.#rest);
      const size = this.#read();
      if (size === 0) return undefined;
      this.#rest = Buffer.from(this.#chunk.subarray(0, size));
    }
  }

  #read(): number {
    for (;;) {
      try {
        return readSync(this.#descriptor, this.#chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
      }
    }
  }
}
