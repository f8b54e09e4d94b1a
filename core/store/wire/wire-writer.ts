import { sortedText, utf8 } from "../../base/index.ts";
import { narPadding } from "../nar-tokens.ts";
import type { Awaitable } from "../store.ts";

/** Where bytes go. The bytes may be kept; a promise says when more may come. */
export interface WireOutput {
  write(bytes: Uint8Array): Awaitable<void>;
}

const CHUNK_BYTES = 32 * 1024;
/** Beyond this much waiting, {@link WireWriter.raw} and {@link WireWriter.list} let it go before they take more. */
const WAITING_LIMIT_BYTES = 256 * 1024;

/**
 * Writes the primitives that both store protocols are made of. Everything waits until {@link WireWriter.flush}, but for
 * contents of files, which go out as they come.
 */
export class WireWriter {
  readonly #output: WireOutput;
  #chunk = new Uint8Array(CHUNK_BYTES);
  #size = 0;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #flushed: Promise<void> = Promise.resolve();

  constructor(output: WireOutput) {
    this.#output = output;
  }

  number(value: number | bigint): this {
    const view = this.#room(8);
    if (typeof value === "bigint") view.setBigUint64(0, value, true);
    else {
      view.setUint32(0, value >>> 0, true);
      view.setUint32(4, Math.floor(value / 0x1_0000_0000), true);
    }
    return this;
  }

  bool(value: boolean): this {
    return this.number(value ? 1 : 0);
  }

  bytes(value: Uint8Array): this {
    this.number(value.length);
    this.#append(value);
    // Fresh room is zero, as padding has to be.
    this.#room(narPadding(value.length));
    return this;
  }

  /** `undefined` is written as none: the empty text. */
  text(value: string | undefined): this {
    return this.bytes(utf8(value ?? ""));
  }

  texts(values: readonly string[]): this {
    this.number(values.length);
    for (const value of values) this.text(value);
    return this;
  }

  /** A set: sorted, each once. */
  set(values: Iterable<string>): this {
    return this.texts(sortedText(new Set(values)));
  }

  /** A count, then the items; a long list does not wait in memory as a whole. */
  async list<T>(items: readonly T[], write: (item: T) => void): Promise<void> {
    this.number(items.length);
    for (const item of items) {
      write(item);
      if (this.#waitingBytes > WAITING_LIMIT_BYTES) await this.flush();
    }
  }

  /** Bytes as they are: archives, which themselves say where they end. */
  async raw(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of pieces) {
      this.#append(piece);
      if (this.#waitingBytes > CHUNK_BYTES) await this.flush();
    }
  }

  /** Framed data: what `write` gives to the inner writer goes out in pieces with their length in front. */
  async frames(write: (inner: WireWriter) => Awaitable<void>): Promise<void> {
    const inner = new WireWriter({
      write: (bytes) => {
        if (bytes.length === 0) return;
        this.number(bytes.length);
        this.#append(bytes);
        if (this.#waitingBytes > WAITING_LIMIT_BYTES) return this.flush();
      },
    });
    await write(inner);
    await inner.flush();
    this.number(0);
  }

  /** Bytes that wait to be sent. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Send what waits, in order also when an earlier call has not ended yet. */
  flush(): Promise<void> {
    this.#flushed = this.#flushed.then(() => this.#send());
    return this.#flushed;
  }

  async #send(): Promise<void> {
    this.#closeChunk();
    const waiting = this.#waiting.splice(0);
    for (const bytes of waiting) {
      await this.#output.write(bytes);
      this.#waitingBytes -= bytes.length;
    }
  }

  /** A view on so many fresh bytes. */
  #room(size: number): DataView {
    if (this.#chunk.length - this.#size < size) this.#closeChunk();
    const view = new DataView(this.#chunk.buffer, this.#size, size);
    this.#size += size;
    this.#waitingBytes += size;
    return view;
  }

  #append(bytes: Uint8Array): void {
    if (bytes.length > CHUNK_BYTES / 4) {
      this.#closeChunk();
      this.#waiting.push(bytes);
    } else {
      if (this.#chunk.length - this.#size < bytes.length) this.#closeChunk();
      this.#chunk.set(bytes, this.#size);
      this.#size += bytes.length;
    }
    this.#waitingBytes += bytes.length;
  }

  /** What was filled is handed on and never written to again: the output may keep it. */
  #closeChunk(): void {
    if (this.#size === 0) return;
    this.#waiting.push(this.#chunk.subarray(0, this.#size));
    this.#chunk = new Uint8Array(CHUNK_BYTES);
    this.#size = 0;
  }
}
