import type { Duplex } from "node:stream";
import { CodedError } from "../../core/base/index.ts";
import {
  CHUNK_BYTES,
  encodeFrame,
  encodeList,
  encodeNumber,
  encodeText,
  FRAME,
  type Frame,
  FrameReader,
  STDIN_WINDOW_BYTES,
  SYNC,
} from "./agent-protocol.ts";
import { signalName } from "./signals.ts";

/** What an agent says about itself and its machine. */
export interface Hello {
  readonly version: string;
  /** Changes with every boot. Source: /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** The booted system's toplevel; empty before it is known. */
  readonly system: string;
  /** Number of the default generation; 0 when there is none. */
  readonly generation: number;
}

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

export interface ExecOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly stdin?: Uint8Array | string;
  readonly onOutput?: (stream: "stdout" | "stderr", data: Buffer) => void;
  /** Kills the command's process group when aborted. */
  readonly signal?: AbortSignal;
}

/** A command that is running in the guest. */
export interface Execution {
  readonly result: Promise<ExecResult>;
  /** Send a signal, by number, to its process group. */
  kill(signal?: number): void;
}

export interface AgentClientOptions {
  /** Called when the agent says hello again by itself: it was restarted. */
  readonly onRestart?: () => void;
  /** The reason for a stream that closed, where more is known than that it did. */
  readonly explainEnd?: () => Promise<CodedError | undefined>;
}

interface StreamHandler {
  frame(frame: Frame): void;
  fail(error: Error): void;
}

const HELLO_INTERVAL_MS = 500;
const ERRNO_NOT_FOUND = 2;

/** The driver's end of one guest's agent: many commands and transfers at the same time over one stream. */
export class AgentClient {
  readonly #stream: Duplex;
  readonly #reader = new FrameReader();
  readonly #handlers = new Map<number, StreamHandler>();
  readonly #epoch: number;
  #nextStream = 1;
  #closed: CodedError | undefined;
  readonly #restarted: (() => void) | undefined;
  readonly #hello: Promise<Hello>;
  #greet: (hello: Hello) => void = () => {};
  #refuse: (error: Error) => void = () => {};
  #greeted = false;
  readonly #knock: NodeJS.Timeout;
  readonly #listen = (data: Buffer): void => {
    for (const frame of this.#reader.push(data)) this.#take(frame);
  };

  /** @param epoch A number no earlier client of this guest has used. The agent ends everything older than it. */
  constructor(stream: Duplex, epoch: number, options: AgentClientOptions = {}) {
    this.#stream = stream;
    this.#epoch = epoch;
    this.#restarted = options.onRestart;
    this.#hello = new Promise((resolve, reject) => {
      this.#greet = resolve;
      this.#refuse = reject;
    });
    this.#hello.catch(() => {});
    stream.on("data", this.#listen);
    stream.on("close", async () => this.#fail((await options.explainEnd?.()) ?? ended("has ended")));
    // Nobody listens in the guest at first, and what is sent before that may be dropped.
    this.#knock = setInterval(() => this.#sendEpoch(), HELLO_INTERVAL_MS);
    this.#sendEpoch();
  }

  /** Settles when the agent has answered. @throws {CodedError} `agent.closed` when the machine ends first. */
  get hello(): Promise<Hello> {
    return this.#hello;
  }

  /** Whether the agent has answered. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Stop using the stream. Everything that is running fails with `agent.closed`. */
  close(): void {
    this.#fail(ended("was ended"));
  }

  /** Run a program; `argv[0]` is looked up in the agent's PATH. */
  exec(argv: readonly string[], options: ExecOptions = {}): Execution {
    const id = this.#nextStream++;
    const outputs: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    const kill = (signal = 9): void => {
      this.#send(FRAME.kill, id, encodeNumber(signal));
    };
    const input = new StdinSender(Buffer.from(options.stdin ?? ""), (data) => this.#send(FRAME.stdin, id, data));
    const result = this.#open<ExecResult>(id, (frame, resolve) => {
      if (frame.type === FRAME.stdout || frame.type === FRAME.stderr) {
        const stream = frame.type === FRAME.stdout ? "stdout" : "stderr";
        outputs[stream].push(frame.payload);
        options.onOutput?.(stream, frame.payload);
      } else if (frame.type === FRAME.stdinRead) input.acknowledge(frame.payload.readUInt32LE(0));
      else if (frame.type === FRAME.started) input.start();
      else if (frame.type === FRAME.exited) resolve(readExit(frame.payload, outputs));
    });
    const environment = Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`);
    this.#send(
      FRAME.exec,
      id,
      Buffer.concat([encodeList(argv), encodeList(environment), encodeText(options.directory ?? "")]),
    );
    const abort = (): void => kill();
    options.signal?.addEventListener("abort", abort, { once: true });
    const settled = result.finally(() => options.signal?.removeEventListener("abort", abort));
    settled.catch(() => {});
    return { result: settled, kill };
  }

  /**
   * Write a file of the guest, whole or not at all.
   *
   * @throws {CodedError} `agent.refused` with the guest's reason.
   */
  async put(path: string, data: Uint8Array, mode = 0o644): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (frame, resolve) => {
      if (frame.type === FRAME.done) resolve();
    });
    let refused = false;
    done.catch(() => {
      refused = true;
    });
    this.#send(FRAME.put, id, Buffer.concat([encodeNumber(mode), encodeText(path)]));
    for (let at = 0; at < data.length && !refused; at += CHUNK_BYTES) {
      await this.#sendPatiently(FRAME.putData, id, data.subarray(at, at + CHUNK_BYTES));
    }
    this.#send(FRAME.putEnd, id);
    return done;
  }

  /** Read a file of the guest. @throws {CodedError} `agent.refused` with the guest's reason. */
  get(path: string): Promise<{ readonly data: Buffer; readonly mode: number }> {
    const id = this.#nextStream++;
    const parts: Buffer[] = [];
    const done = this.#request<{ data: Buffer; mode: number }>(id, (frame, resolve) => {
      if (frame.type === FRAME.getData) parts.push(frame.payload);
      else if (frame.type === FRAME.getEnd)
        resolve({ data: Buffer.concat(parts), mode: frame.payload.readUInt32LE(0) });
    });
    this.#send(FRAME.get, id, encodeText(path));
    return done;
  }

  /** One round trip that starts no process. */
  ping(): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (_frame, resolve) => resolve());
    this.#send(FRAME.ping, id);
    return done;
  }

  /** Mix a seed into the guest's random generator and make it take it at once: a restored copy must not repeat its sibling. */
  reseed(seed: Uint8Array): Promise<void> {
    return this.#simple(FRAME.reseed, seed);
  }

  /** Set the guest's wall clock. */
  setClock(at: Date): Promise<void> {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(at.getTime()) * 1_000_000n);
    return this.#simple(FRAME.setClock, bytes);
  }

  #simple(type: number, payload: Uint8Array): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (frame, resolve) => {
      if (frame.type === FRAME.done) resolve();
    });
    this.#send(type, id, payload);
    return done;
  }

  /** A stream whose failure frame is an error. */
  #request<T>(id: number, take: (frame: Frame, resolve: (value: T) => void) => void): Promise<T> {
    return this.#open<T>(id, (frame, resolve, reject) => {
      if (frame.type !== FRAME.failed) return take(frame, resolve);
      const text = frame.payload.subarray(4).toString();
      reject(new CodedError("agent.refused", `${text.charAt(0).toUpperCase()}${text.slice(1)}`));
    });
  }

  #open<T>(
    id: number,
    take: (frame: Frame, resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise<T>((resolve, reject) => {
      this.#handlers.set(id, { frame: (frame) => take(frame, resolve, reject), fail: reject });
    }).finally(() => this.#handlers.delete(id));
  }

  #take(frame: Frame): void {
    if (frame.type !== FRAME.hello) {
      this.#handlers.get(frame.stream)?.frame(frame);
      return;
    }
    const hello = readHello(frame.payload);
    if (hello.epoch === this.#epoch) {
      clearInterval(this.#knock);
      this.#greeted = true;
      this.#greet(hello);
    } else if (this.#greeted) {
      // A hello that answers nothing comes from a new agent, which knows none of our streams.
      this.#failStreams(
        new CodedError("agent.restarted", "Cannot finish the command: the agent was restarted in the guest"),
      );
      this.#sendEpoch();
      this.#restarted?.();
    }
  }

  #sendEpoch(): void {
    this.#stream.write(Buffer.concat([SYNC, encodeFrame(FRAME.epoch, 0, encodeNumber(this.#epoch))]));
  }

  #send(type: number, stream: number, payload?: Uint8Array): boolean {
    if (this.#closed !== undefined || this.#stream.destroyed) return true;
    return this.#stream.write(encodeFrame(type, stream, payload));
  }

  async #sendPatiently(type: number, stream: number, payload: Uint8Array): Promise<void> {
    if (this.#send(type, stream, payload)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#stream.off("drain", go).off("close", go);
        resolve();
      };
      this.#stream.on("drain", go).on("close", go);
    });
  }

  #failStreams(error: CodedError): void {
    for (const handler of [...this.#handlers.values()]) handler.fail(error);
    this.#handlers.clear();
  }

  #fail(error: CodedError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#stream.off("data", this.#listen);
    clearInterval(this.#knock);
    this.#refuse(error);
    this.#failStreams(error);
  }
}

function ended(how: string): CodedError {
  return new CodedError("agent.closed", `Cannot reach the agent: its machine ${how}`);
}

/** Sends standard input no faster than the command reads it. */
class StdinSender {
  #rest: Buffer;
  #credit = STDIN_WINDOW_BYTES;
  #ended = false;
  readonly #send: (data: Uint8Array) => void;

  constructor(data: Buffer, send: (data: Uint8Array) => void) {
    this.#rest = data;
    this.#send = send;
  }

  start(): void {
    while (this.#rest.length > 0 && this.#credit > 0) {
      const part = this.#rest.subarray(0, Math.min(this.#credit, CHUNK_BYTES));
      this.#rest = this.#rest.subarray(part.length);
      this.#credit -= part.length;
      this.#send(part);
    }
    if (this.#rest.length > 0 || this.#ended) return;
    this.#ended = true;
    this.#send(new Uint8Array());
  }

  acknowledge(sizeBytes: number): void {
    this.#credit += sizeBytes;
    this.start();
  }
}

function readHello(payload: Buffer): Hello & { readonly epoch: number } {
  const fields = new Map(
    payload
      .toString()
      .split("\n")
      .map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  return {
    version: fields.get("version") ?? "",
    epoch: Number(fields.get("epoch")),
    bootId: fields.get("boot_id") ?? "",
    system: fields.get("system") ?? "",
    generation: Number(fields.get("generation") ?? 0),
  };
}

function readExit(payload: Buffer, outputs: { readonly stdout: Buffer[]; readonly stderr: Buffer[] }): ExecResult {
  const kind = payload.readUInt8(0);
  const value = payload.readInt32LE(1);
  const common = {
    stdout: Buffer.concat(outputs.stdout),
    stderr: Buffer.concat(outputs.stderr),
    durationMs: Number(payload.readBigUInt64LE(5)) / 1000,
    outputHeldOpen: payload.readUInt8(13) === 1,
  };
  if (kind === 1) return { ...common, status: 128 + value, signal: signalName(value) };
  if (kind === 2) {
    const status = value === ERRNO_NOT_FOUND ? 127 : 126;
    return { ...common, status, notStarted: status === 127 ? "no such program" : `error ${value}` };
  }
  return { ...common, status: value };
}
