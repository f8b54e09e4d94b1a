import { CodedError, fromUtf8 } from "../../base/index.ts";
import { NarParser, type NarSink } from "../nar-parser.ts";
import { narPadding } from "../nar-tokens.ts";
import { parseStorePath, STORE_DIRECTORY, type StorePath } from "../store-path.ts";

/** What one message may make us hold in memory; contents of files are streamed and do not count. */
const HELD_BYTES_LIMIT = 256 * 1024 * 1024;
/** What a text in a list costs besides its bytes: a client that sends a million empty ones pays for them too. */
const TEXT_COST_BYTES = 64;

export interface WireReaderOptions {
  /** Default 256 MiB: texts of one message (see {@link WireReader.begin}) must fit into it. */
  readonly heldBytesLimit?: number;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

function malformed(found: string): CodedError {
  return new CodedError("wire.malformed", `Cannot read a message of the store protocol: ${found}`);
}

/**
 * Reads the primitives that both store protocols are made of from a stream of bytes.
 *
 * Strict: padding must be zero, small numbers are in range, and a length counts against the limit before anything is
 * allocated for it. Memory is taken as bytes arrive, never because somebody announces them.
 *
 * Errors: `wire.malformed`; `wire.ended` when the stream ends inside a message.
 */
export class WireReader {
  readonly #input: AsyncIterator<Uint8Array>;
  readonly #heldBytesLimit: number;
  /** Where the paths of messages lie. */
  readonly storeDirectory: string;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #heldBytes = 0;
  /** Bytes left of the present frame; absent outside of framed data. */
  #frameLeft: number | undefined;

  /** @param input Pieces of any size; they must stay as they are after they were given. */
  constructor(input: AsyncIterable<Uint8Array>, options: WireReaderOptions = {}) {
    this.#input = input[Symbol.asyncIterator]();
    this.#heldBytesLimit = options.heldBytesLimit ?? HELD_BYTES_LIMIT;
    this.storeDirectory = options.storeDirectory ?? STORE_DIRECTORY;
  }

  /** The bytes that have come and were not read, for who can do with what is there; outside of framed data. */
  get there(): Uint8Array {
    return this.#chunk.subarray(this.#at);
  }

  /** Pass over some of the bytes that are {@link there}. */
  skip(sizeBytes: number): void {
    this.#at += sizeBytes;
  }

  /** What the last message held counts no longer. */
  forget(): void {
    this.#heldBytes = 0;
  }

  /** Wait for a new message; what the last one held counts no longer. `false` when the stream has ended instead. */
  async begin(): Promise<boolean> {
    this.forget();
    return this.#at < this.#chunk.length || (await this.#fill());
  }

  /** @param largest The greatest value that is allowed. Default 2^53 - 1. */
  async number(largest = Number.MAX_SAFE_INTEGER): Promise<number> {
    const bytes = await this.#exactly(8);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    const value = view.getUint32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
    if (value > largest) throw malformed(`found the number ${value}, expected at most ${largest}`);
    return value;
  }

  /** A number of which all 64 bits may be used. */
  async wideNumber(): Promise<bigint> {
    const bytes = await this.#exactly(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  }

  async bool(): Promise<boolean> {
    return (await this.number(1)) === 1;
  }

  /** @param longest In bytes. Default: what the limit of the message leaves. */
  async bytes(longest?: number): Promise<Uint8Array> {
    // A copy of its own, so that a short text does not keep a whole piece of the stream in memory.
    return this.#string(longest, (bytes) => new Uint8Array(bytes));
  }

  async text(longest?: number): Promise<string> {
    return this.#string(longest, fromUtf8);
  }

  /** A list of texts, in its order, each once or more often. */
  async texts(): Promise<string[]> {
    return this.list(() => this.text());
  }

  /** A count, then so many items. */
  async list<T>(item: () => Promise<T>): Promise<T[]> {
    const count = await this.number();
    // Checked before the first item, so that a senseless count is refused at once.
    if (count > this.#heldBytesLimit / TEXT_COST_BYTES) {
      throw malformed(`found a list of ${count} items, expected at most ${this.#heldBytesLimit / TEXT_COST_BYTES}`);
    }
    const items: T[] = [];
    for (let i = 0; i < count; i++) {
      this.#hold(0);
      items.push(await item());
    }
    return items;
  }

  /** Errors besides ours: `store-path.outside`, `store-path.malformed`. */
  async path(): Promise<StorePath> {
    return parseStorePath(await this.text(), this.storeDirectory);
  }

  /** An empty text stands for none. */
  async optionalPath(): Promise<StorePath | undefined> {
    const text = await this.text();
    return text === "" ? undefined : parseStorePath(text, this.storeDirectory);
  }

  /** A set of paths in the order of the sender, each once. */
  async paths(): Promise<StorePath[]> {
    return [...new Set(await this.list(() => this.path()))];
  }

  /** So many bytes without padding, in pieces as they arrive; the pieces may be kept. */
  async *raw(size: number): AsyncGenerator<Uint8Array> {
    for (let left = size; left > 0; ) {
      await this.#need();
      const piece = this.#chunk.subarray(this.#at, this.#at + left);
      this.#at += piece.length;
      left -= piece.length;
      yield piece;
    }
  }

  /**
   * An archive, which itself says where it ends, in pieces as they arrive.
   *
   * Errors besides ours: `nar.malformed`.
   */
  async *nar(): AsyncGenerator<Uint8Array> {
    const parser = new NarParser(IGNORE);
    while (!parser.done) {
      await this.#need();
      const rest = this.#chunk.subarray(this.#at);
      const used = parser.push(rest);
      this.#at += used;
      yield rest.subarray(0, used);
    }
  }

  /**
   * An archive whose nodes are told to a sink. It is `take`n in pieces as they arrive, each after the sink was told of it, and waited
   * for where `take` says so. Errors as {@link nar}.
   */
  async narInto(sink: NarSink, take: (piece: Uint8Array) => Promise<void> | undefined): Promise<void> {
    const parser = new NarParser(sink);
    while (!parser.done) {
      // Small archives often lie in one chunk: waiting only where there is something to wait for makes them twice as fast.
      if (this.#at === this.#chunk.length) await this.#need();
      const rest = this.#chunk.subarray(this.#at);
      const used = parser.push(rest);
      this.#at += used;
      const taken = take(rest.subarray(0, used));
      if (taken !== undefined) await taken;
    }
  }

  /**
   * Framed data: pieces with their length in front and no padding, up to a piece of length 0. Whoever stops early lets
   * {@link skipFrames} pass over the rest.
   */
  frames(): AsyncGenerator<Uint8Array> {
    this.#frameLeft = 0;
    return this.#restOfFrames();
  }

  /** Read on behind framed data that was begun, if it was. */
  async skipFrames(): Promise<void> {
    for await (const _ of this.#restOfFrames());
  }

  async *#restOfFrames(): AsyncGenerator<Uint8Array> {
    while (this.#frameLeft !== undefined) {
      if (this.#frameLeft === 0) {
        const size = await this.number();
        this.#frameLeft = size === 0 ? undefined : size;
      } else {
        await this.#need();
        const piece = this.#chunk.subarray(this.#at, this.#at + this.#frameLeft);
        this.#at += piece.length;
        this.#frameLeft -= piece.length;
        yield piece;
      }
    }
  }

  async #string<T>(longest = Number.MAX_SAFE_INTEGER, convert: (bytes: Uint8Array) => T): Promise<T> {
    const size = await this.number();
    if (size > longest) throw malformed(`found a text of ${size} bytes, expected at most ${longest}`);
    this.#hold(size);
    const value = convert(await this.#exactly(size));
    await this.#padding(size);
    return value;
  }

  #hold(sizeBytes: number): void {
    this.#heldBytes += sizeBytes + TEXT_COST_BYTES;
    if (this.#heldBytes > this.#heldBytesLimit) {
      throw malformed(`its texts need ${this.#heldBytes} bytes, expected at most ${this.#heldBytesLimit}`);
    }
  }

  async #padding(size: number): Promise<void> {
    const padding = narPadding(size);
    if (padding === 0) return;
    const bytes = await this.#exactly(padding);
    if (bytes.some((byte) => byte !== 0)) throw malformed("the padding of a text is not zero");
  }

  /** The next bytes; valid until the next call. */
  async #exactly(size: number): Promise<Uint8Array> {
    if (this.#chunk.length - this.#at < size) return this.#gather(size);
    const bytes = this.#chunk.subarray(this.#at, this.#at + size);
    this.#at += size;
    return bytes;
  }

  async #gather(size: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let found = 0;
    while (found < size) {
      await this.#need();
      const part = this.#chunk.subarray(this.#at, this.#at + size - found);
      parts.push(part);
      this.#at += part.length;
      found += part.length;
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  async #need(): Promise<void> {
    if (this.#at < this.#chunk.length || (await this.#fill())) return;
    throw new CodedError("wire.ended", "Cannot read a message of the store protocol: the connection ended inside it");
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#input.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.#chunk = value;
      this.#at = 0;
      return true;
    }
  }
}

const IGNORE: NarSink = {
  directory() {},
  endDirectory() {},
  file() {},
  data() {},
  endFile() {},
  symlink() {},
};
