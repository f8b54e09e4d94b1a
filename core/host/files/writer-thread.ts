import { Worker } from "node:worker_threads";
import { makeEntryWriter } from "./entry-writer.ts";
import { hostPath } from "./host-path.ts";
import { OPERATION, RECORD_BYTES, runWriterLoop, type WriterAnswer, type WriterRequest } from "./writer-loop.ts";

const BUFFER_BYTES = 1024 * 1024;
/** A buffer goes to the thread when it is full, or holds so many records: a tree of tiny files must not wait for its end. */
const BUFFER_RECORDS = 128;
/** So many buffers wait at the thread before the writers are asked to wait. */
const BUFFERS_AHEAD = 8;
/** So many are work enough for the thread while we write something ourselves. */
const BUFFERS_BEHIND = 2;

/** The longest payload that surely fits into one record, whatever the place. */
export const LONGEST_PAYLOAD_BYTES = 256 * 1024;
/** From here on copying by `fill`, which moves shared memory at once and not word by word, is worth its call. */
const LONG_BYTES = 4096;

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
  /** Buffers at the thread, the first sent first. */
  readonly #sent: SharedArrayBuffer[] = [];
  /** How many buffers the thread has done, which it counts itself: its messages come only when this thread waits. */
  readonly #done = new Int32Array(new SharedArrayBuffer(4));
  #taken = 0;
  readonly #flushes = new Map<number, () => void>();
  #shared: SharedArrayBuffer | undefined;
  #buffer: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  #used = 0;
  #records = 0;
  #jobs = 0;
  #flushed: { readonly done: Promise<void> } | undefined;
  #flushId = 0;
  #wake: (() => void) | undefined;
  #turn: Promise<void> | undefined;

  constructor() {
    const source = `(${runWriterLoop})(${makeEntryWriter}, ${JSON.stringify(OPERATION)})`;
    // Not with the flags of this process: --input-type would make it a module, which knows no require.
    this.#worker = new Worker(source, { eval: true, name: "writer", execArgv: [], workerData: this.#done.buffer });
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
    this.#makeRoom(RECORD_BYTES + placeLength + payloadBytes);
    const buffer = this.#buffer;
    buffer[this.#used] = operation;
    let at = buffer.writeUInt32LE(job, this.#used + 1);
    at = buffer.writeUInt32LE(placeLength, at);
    if (typeof path === "string") buffer.write(path, at);
    else buffer.set(path, at);
    at = buffer.writeUInt32LE(payloadBytes, at + placeLength);
    for (const bytes of payload) {
      if (bytes.length < LONG_BYTES) buffer.set(bytes, at);
      else buffer.fill(bytes, at, at + bytes.length);
      at += bytes.length;
    }
    this.#end(at);
  }

  /**
   * Room for contents of the file that a job has begun, in the memory of the thread: to be filled and told to {@link addRoom} before
   * anything else is added. At most so long, and never empty.
   */
  room(longestBytes: number): Uint8Array {
    this.#makeRoom(RECORD_BYTES + Math.min(longestBytes, LONGEST_PAYLOAD_BYTES));
    const start = this.#used + RECORD_BYTES;
    return this.#buffer.subarray(start, start + Math.min(longestBytes, LONGEST_PAYLOAD_BYTES));
  }

  /** The first bytes of the last {@link room} are contents of the job's file. */
  addRoom(job: number, usedBytes: number): void {
    const buffer = this.#buffer;
    buffer[this.#used] = OPERATION.data;
    let at = buffer.writeUInt32LE(job, this.#used + 1);
    at = buffer.writeUInt32LE(0, at);
    at = buffer.writeUInt32LE(usedBytes, at);
    this.#end(at + usedBytes);
  }

  /** Whether the thread has enough to do, so that a small thing of a job is done sooner by whoever asks. */
  isBehind(job: number): boolean {
    return this.#ahead() >= BUFFERS_BEHIND && !this.hasFailed(job);
  }

  hasFailed(job: number): boolean {
    return this.#failures.has(job);
  }

  /** Something of a job could not be written elsewhere: the rest is passed over, and {@link finish} tells it. */
  fail(job: number, error: Error): void {
    if (this.#failures.has(job)) return;
    this.#failures.set(job, error);
    this.#post({ kind: "abandon", job });
  }

  /** A promise to wait for before giving more, when the thread is behind. */
  busy(): Promise<void> | undefined {
    if (this.#ahead() < BUFFERS_AHEAD) return undefined;
    this.#turn ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#turn;
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

  #makeRoom(bytes: number): void {
    if (this.#used + bytes > this.#buffer.length) this.#send();
  }

  #end(used: number): void {
    this.#used = used;
    this.#records += 1;
    this.#flushed = undefined;
    if (this.#records >= BUFFER_RECORDS) this.#send();
  }

  #send(): void {
    if (this.#shared !== undefined && this.#used === 0) return;
    if (this.#shared !== undefined) {
      this.#sent.push(this.#shared);
      this.#post({ kind: "records", buffer: this.#shared, usedBytes: this.#used });
    }
    this.#ahead();
    this.#shared = this.#free.pop() ?? new SharedArrayBuffer(BUFFER_BYTES);
    this.#buffer = Buffer.from(this.#shared);
    this.#used = 0;
    this.#records = 0;
  }

  /** How many buffers are at the thread. Those that are done are free again. */
  #ahead(): number {
    for (const done = Atomics.load(this.#done, 0); this.#taken !== done; this.#taken = (this.#taken + 1) | 0)
      this.#free.push(this.#sent.shift() as SharedArrayBuffer);
    return this.#sent.length;
  }

  /** The process lives as long as something is under way. */
  #post(request: WriterRequest): void {
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  #take(answer: WriterAnswer): void {
    if (answer.kind === "done") {
      if (this.#ahead() < BUFFERS_AHEAD) {
        this.#wake?.();
        this.#wake = undefined;
        this.#turn = undefined;
      }
    } else if (answer.kind === "flushed") {
      this.#flushes.get(answer.id)?.();
      this.#flushes.delete(answer.id);
    } else {
      if (!this.#failures.has(answer.job))
        this.#failures.set(answer.job, Object.assign(new Error(answer.message), answer.facts));
    }
    if (this.#ahead() === 0 && this.#flushes.size === 0) this.#worker.unref();
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
