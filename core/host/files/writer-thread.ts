import { Worker } from "node:worker_threads";
import { makeEntryWriter } from "./entry-writer.ts";
import { hostPath } from "./host-path.ts";
import { OPERATION, RECORD_BYTES, runWriterLoop, type WriterAnswer, type WriterRequest } from "./writer-loop.ts";

const BUFFER_BYTES = 1024 * 1024;
/** So many buffers wait at the thread before the writers are asked to wait. */
const BUFFERS_AHEAD = 8;

/** The longest payload that surely fits into one record, whatever the place. */
export const LONGEST_PAYLOAD_BYTES = 256 * 1024;

/**
 * A thread that writes the entries of trees, in the order they are given to it: making a file is most of what a small one costs,
 * and goes on while the next is read, unpacked or hashed.
 *
 * What belongs together (one tree) is a job; jobs may come in turn. A failure is told by {@link finish} of its job.
 */
export class WriterThread {
  readonly #worker: Worker;
  readonly #failures = new Map<number, Error>();
  /**
   * Buffers that are used again. They are shared, and one side alone uses one at a time: buffers that change hands count as new
   * memory each time, so that the collector of memory runs for nothing.
   */
  readonly #free: SharedArrayBuffer[] = [];
  readonly #flushes = new Map<number, () => void>();
  #shared: SharedArrayBuffer | undefined;
  #buffer: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #used = 0;
  #ahead = 0;
  #jobs = 0;
  #flushed: { readonly done: Promise<void> } | undefined;
  #flushId = 0;
  #wake: (() => void) | undefined;
  #room: Promise<void> | undefined;

  constructor() {
    const source = `(${runWriterLoop})(${makeEntryWriter}, ${JSON.stringify(OPERATION)})`;
    // Not with the flags of this process: --input-type would make it a module, which knows no require.
    this.#worker = new Worker(source, { eval: true, name: "writer", execArgv: [] });
    this.#worker.on("message", (answer: WriterAnswer) => this.#take(answer));
    this.#worker.unref();
  }

  /** Begin a job. */
  begin(): number {
    this.#jobs += 1;
    return this.#jobs;
  }

  add(job: number, operation: number, place: string, ...payload: readonly Uint8Array[]): void {
    const path = hostPath(place);
    const placeLength = typeof path === "string" ? Buffer.byteLength(path) : path.length;
    const payloadBytes = payload.reduce((sum, { length }) => sum + length, 0);
    if (this.#used + RECORD_BYTES + placeLength + payloadBytes > this.#buffer.length) this.#send();
    const buffer = this.#buffer;
    buffer[this.#used] = operation;
    let at = buffer.writeUInt32LE(job, this.#used + 1);
    at = buffer.writeUInt32LE(placeLength, at);
    if (typeof path === "string") buffer.write(path, at);
    else buffer.set(path, at);
    at = buffer.writeUInt32LE(payloadBytes, at + placeLength);
    for (const bytes of payload) {
      buffer.set(bytes, at);
      at += bytes.length;
    }
    this.#used = at;
    this.#flushed = undefined;
  }

  /** A promise to wait for before giving more, when the thread is behind. */
  busy(): Promise<void> | undefined {
    if (this.#ahead < BUFFERS_AHEAD) return undefined;
    this.#room ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#room;
  }

  /** Wait until all entries of a job are written. @throws what writing them threw */
  async finish(job: number): Promise<void> {
    await this.#flush();
    const failure = this.#failures.get(job);
    this.#failures.delete(job);
    if (failure !== undefined) throw failure;
  }

  /** Give a job up and wait until nothing of it is written any more. */
  async abandon(job: number): Promise<void> {
    this.#send();
    this.#post({ kind: "abandon", job });
    this.#flushed = undefined;
    await this.#flush();
    this.#failures.delete(job);
  }

  #flush(): Promise<void> {
    if (this.#flushed === undefined) {
      this.#send();
      const id = ++this.#flushId;
      const done = new Promise<void>((resolve) => void this.#flushes.set(id, resolve));
      this.#flushed = { done };
      this.#post({ kind: "flush", id });
    }
    return this.#flushed.done;
  }

  #send(): void {
    if (this.#shared !== undefined && this.#used === 0) return;
    if (this.#shared !== undefined) {
      this.#ahead += 1;
      this.#post({ kind: "records", buffer: this.#shared, usedBytes: this.#used });
    }
    this.#shared = this.#free.pop() ?? new SharedArrayBuffer(BUFFER_BYTES);
    this.#buffer = Buffer.from(this.#shared);
    this.#used = 0;
  }

  /** The process lives as long as something is under way. */
  #post(request: WriterRequest): void {
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  #take(answer: WriterAnswer): void {
    if (answer.kind === "free") {
      this.#ahead -= 1;
      this.#free.push(answer.buffer);
      this.#wake?.();
      this.#wake = undefined;
      this.#room = undefined;
    } else if (answer.kind === "flushed") {
      this.#flushes.get(answer.id)?.();
      this.#flushes.delete(answer.id);
    } else {
      this.#failures.set(answer.job, Object.assign(new Error(answer.message), answer.facts));
    }
    if (this.#ahead === 0 && this.#flushes.size === 0) this.#worker.unref();
  }
}

let thread: WriterThread | undefined;

/** The writing thread of this process, if there is one by now. */
export function findWriterThread(): WriterThread | undefined {
  return thread;
}

/** The writing thread of this process; starting it takes about 20 ms of another processor. */
export function startWriterThread(): WriterThread {
  thread ??= new WriterThread();
  return thread;
}
