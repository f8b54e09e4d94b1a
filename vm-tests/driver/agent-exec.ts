import { CHUNK_BYTES, encodeList, encodeShort, encodeText, WINDOW_BYTES } from "./agent-protocol.ts";
import { signalName } from "./signals.ts";

/** How a command ended. */
export interface ExecResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** Exit status; 128 and the signal's number after a signal, 126 or 127 when the program could not be started. */
  readonly status: number;
  /** The signal that ended it. */
  readonly signal?: string;
  /** Why it could not be started. */
  readonly notStarted?: string;
  /** By the guest's clock, up to the end of the command itself. */
  readonly durationMs: number;
  /** Something the command left behind still held its output open. */
  readonly outputHeldOpen: boolean;
}

/** Size of a terminal in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface ExecOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Name or number of the guest's user to run as, with that user's groups and home. Default: that of the agent, root. */
  readonly user?: string;
  /** What the command reads, whole; `open` leaves it to {@link Execution.write}. Default: nothing. */
  readonly stdin?: Uint8Array | string | "open";
  /** Give it a terminal of its own, which is all three of its streams. */
  readonly terminal?: TerminalSize;
  readonly onOutput?: (stream: "stdout" | "stderr", data: Buffer) => void;
  /** `false`: the output is for {@link onOutput} alone, and the result has none. */
  readonly keepOutput?: boolean;
  /** Kills the command's process group when aborted. */
  readonly signal?: AbortSignal;
}

/** A command that is running in the guest. */
export interface Execution {
  readonly result: Promise<ExecResult>;
  /** Send a signal, by number, to its process group. */
  kill(signal?: number): void;
  /** More for its input, when that is `open`. */
  write(data: Uint8Array | string): void;
  /** The end of its input. */
  end(): void;
  /** Its terminal has another size now. */
  resize(rows: number, columns: number): void;
}

const ERRNO_NOT_FOUND = 2;
const ERRNO_NO_USER = 3;

/** The payload of an order to run something. */
export function encodeExec(argv: readonly string[], options: ExecOptions): Buffer {
  const environment = Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const { terminal } = options;
  return Buffer.concat([
    encodeList(argv),
    encodeList(environment),
    encodeText(options.directory ?? ""),
    encodeText(options.user ?? ""),
    Buffer.from([terminal === undefined ? 0 : 1]),
    encodeShort(terminal?.rows ?? 0),
    encodeShort(terminal?.columns ?? 0),
  ]);
}

/** Sends input no faster than it is taken. */
export class InputSender {
  readonly #queue: Buffer[] = [];
  readonly #send: (data: Uint8Array) => void;
  #credit = WINDOW_BYTES;
  #started = false;
  #ends = false;
  #ended = false;

  constructor(send: (data: Uint8Array) => void) {
    this.#send = send;
  }

  write(data: Buffer): void {
    if (data.length > 0) this.#queue.push(data);
    this.#go();
  }

  end(): void {
    this.#ends = true;
    this.#go();
  }

  /** There is somebody to send to. */
  start(): void {
    this.#started = true;
    this.#go();
  }

  acknowledge(sizeBytes: number): void {
    this.#credit += sizeBytes;
    this.#go();
  }

  #go(): void {
    while (this.#started && this.#credit > 0) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      const part = first.subarray(0, Math.min(this.#credit, CHUNK_BYTES));
      if (part.length < first.length) this.#queue.unshift(first.subarray(part.length));
      this.#credit -= part.length;
      this.#send(part);
    }
    if (!this.#started || this.#queue.length > 0 || !this.#ends || this.#ended) return;
    this.#ended = true;
    this.#send(new Uint8Array());
  }
}

/** Read what tells a command's end. */
export function readExit(
  payload: Buffer,
  outputs: { readonly stdout: readonly Buffer[]; readonly stderr: readonly Buffer[] },
): ExecResult {
  const kind = payload.readUInt8(0);
  const value = payload.readInt32LE(1);
  const common = {
    stdout: Buffer.concat(outputs.stdout),
    stderr: Buffer.concat(outputs.stderr),
    durationMs: Number(payload.readBigUInt64LE(5)) / 1000,
    outputHeldOpen: payload.readUInt8(13) === 1,
  };
  if (kind === 1) return { ...common, status: 128 + value, signal: signalName(value) };
  if (kind !== 2) return { ...common, status: value };
  if (value === ERRNO_NOT_FOUND) return { ...common, status: 127, notStarted: "no such program" };
  return { ...common, status: 126, notStarted: value === ERRNO_NO_USER ? "no such user" : `error ${value}` };
}
