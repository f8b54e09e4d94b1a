import { PassThrough } from "node:stream";

/** The key that leaves an attached terminal or console: Ctrl-]. */
const LEAVE = 0x1d;

/** Takes what is typed, in place of the prompt. */
export interface Attachment {
  write(data: Buffer): void;
  /** The terminal has another size. */
  resize?(rows: number, columns: number): void;
  /** Settles when there is nobody to type to any more. */
  readonly ended: Promise<unknown>;
}

/** The terminal somebody sits at, or what stands for one: it belongs to a prompt, and for a while to something else. */
export class Console {
  /** What is typed at the prompt. */
  readonly input = new PassThrough();
  readonly isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  #attached: ((data: Buffer) => void) | undefined;
  #redraw = (): void => {};
  readonly #take = (data: Buffer): void => {
    if (this.#attached === undefined) this.input.write(data);
    else this.#attached(data);
  };

  constructor() {
    if (this.isTerminal) process.stdin.setRawMode(true);
    process.stdin.on("data", this.#take);
    process.stdin.on("end", () => this.input.end());
  }

  /** Have the prompt drawn again by this after something was said. */
  onSay(redraw: () => void): void {
    this.#redraw = redraw;
  }

  /** Write lines for people; the prompt comes back after them. */
  say(text: string): void {
    if (!this.isTerminal) {
      process.stderr.write(`${text.replace(/\n$/, "")}\n`);
      return;
    }
    // While something is attached its screen is not ours.
    if (this.#attached !== undefined) return;
    process.stdout.write(`\r\x1b[J${text.replace(/\n$/, "").replaceAll("\n", "\r\n")}\r\n`);
    this.#redraw();
  }

  /** Lines of a terminal, for what runs in one. */
  get size(): { readonly rows: number; readonly columns: number } {
    return { rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 };
  }

  write(data: Buffer): void {
    process.stdout.write(data);
  }

  /** Give what is typed to something else until it ends, or Ctrl-] is pressed. */
  async attach({ write, resize, ended }: Attachment): Promise<void> {
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const resized = (): void => resize?.(this.size.rows, this.size.columns);
    process.stdout.on("resize", resized);
    process.stdin.once("end", leave);
    this.#attached = (data) => {
      const at = data.indexOf(LEAVE);
      if (at !== 0) write(at < 0 ? data : data.subarray(0, at));
      if (at < 0) return;
      leave();
      if (at + 1 < data.length) this.input.write(data.subarray(at + 1));
    };
    try {
      await Promise.race([ended, left]);
    } finally {
      this.#attached = undefined;
      process.stdout.off("resize", resized);
      process.stdin.off("end", leave);
    }
  }

  close(): void {
    process.stdin.off("data", this.#take);
    if (this.isTerminal) process.stdin.setRawMode(false);
    process.stdin.pause();
    this.input.end();
  }
}
