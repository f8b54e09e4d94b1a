import { fstatSync, writeSync } from "node:fs";

/** Stdout or stderr, as commands and the parser of the command line use it. */
export interface OutputStream {
  write(piece: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  /** Write what vanishes again before the command ends. */
  sketch(piece: string): void;
  /** How many bits of colour it shows; 1 is none. */
  getColorDepth(env?: object): number;
}

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;
/** Device number of `/dev/null`. */
const NULL_DEVICE = 0x103;

/**
 * One of the outputs of this process. Node's own stream for it takes 5 ms to load, a tenth of a small command, so lines are written to
 * the descriptor until something needs the stream. Both write at once, so they come in the order of the calls.
 */
export class Output implements OutputStream {
  readonly #name: keyof typeof DESCRIPTORS;
  #stream: NodeJS.WriteStream | undefined;
  #terminal: boolean | undefined;
  #used = false;

  constructor(name: keyof typeof DESCRIPTORS) {
    this.#name = name;
  }

  /** Whether a person may look at it as it comes. */
  get isTerminal(): boolean {
    return (this.#terminal ??= this.#isDevice() && this.stream.isTTY === true);
  }

  /** Whether anything was written to it that stays. */
  get isUsed(): boolean {
    return this.#used;
  }

  /** Node's own stream. A reader that goes away (`floe log … | head`) ends the program in silence, as other tools do. */
  get stream(): NodeJS.WriteStream {
    if (this.#stream === undefined) {
      this.#stream = process[this.#name];
      this.#stream.on("error", endWithReader);
    }
    return this.#stream;
  }

  /** Straight to the descriptor too: Node's stream asks whether a pipe has room before each 64 KiB, a fifth of the time of a long archive. */
  write(piece: string | Uint8Array, done?: (error?: Error | null) => void): boolean {
    this.#used = true;
    if (this.#stream !== undefined) return this.#stream.write(piece, done);
    return this.#writeNow(typeof piece === "string" ? Buffer.from(piece) : piece, done);
  }

  sketch(piece: string): void {
    const used = this.#used;
    this.write(piece);
    this.#used = used;
  }

  getColorDepth(env?: object): number {
    return this.isTerminal ? this.stream.getColorDepth(env) : 1;
  }

  /** Write a line, or several. @throws what the system says, such as that the disk is full */
  line(text: string): void {
    this.#used = true;
    if (this.#stream !== undefined) this.#stream.write(`${text}\n`);
    else this.#writeNow(Buffer.from(`${text}\n`));
  }

  #writeNow(bytes: Uint8Array, done?: (error?: Error | null) => void): boolean {
    let rest = bytes;
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(DESCRIPTORS[this.#name], rest));
    } catch (error) {
      // Somebody made it one that never waits; the stream knows how to.
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return this.stream.write(rest, done);
      endWithReader(error as NodeJS.ErrnoException);
    }
    done?.();
    return true;
  }

  /** A terminal is a device, and a stream tells what kind of one. */
  #isDevice(): boolean {
    const stat = fstatSync(DESCRIPTORS[this.#name]);
    return stat.isCharacterDevice() && stat.rdev !== NULL_DEVICE;
  }
}

function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
}
