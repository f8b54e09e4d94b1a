import type { Interface } from "node:readline";

/** Lines that a reader has read, for whoever asks for the next one. */
export class LineQueue {
  readonly #reader: Interface;
  readonly #lines: string[] = [];
  #closed = false;
  #waiting: ((line: string | undefined) => void) | undefined;

  constructor(reader: Interface) {
    this.#reader = reader;
    reader.on("line", (line) => {
      if (this.#waiting === undefined) this.#lines.push(line);
      else this.#answer(line);
    });
    reader.on("close", () => {
      this.#closed = true;
      this.#answer(undefined);
    });
  }

  /** The next line; `undefined` when no more come. Who asked before, and waits still, gets `undefined`, too. */
  next(prompt?: string): Promise<string | undefined> {
    this.#answer(undefined);
    const known = this.#lines.shift();
    if (known !== undefined || this.#closed) return Promise.resolve(known);
    if (prompt !== undefined) this.#reader.setPrompt(prompt);
    if (this.#reader.terminal) this.#reader.prompt();
    else this.#reader.resume();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #answer(line: string | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }
}
