import { constants, createZstdDecompress, type ZstdDecompress, zstdCompressSync } from "node:zlib";
import { equalBytes } from "../../base/index.ts";
import { malformedArchive } from "./compression.ts";

/** The part of Node's decoder that does the work. It is nobody's interface, so {@link findInside} looks whether it is there. */
interface Inside {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void;
  onerror: (message: string) => void;
}

/** What the decoder leaves after each step: free bytes of the output, unused bytes of the input. */
type Left = readonly [outputBytes: number, inputBytes: number];

const NOTHING = new Uint8Array(0);

/** Unpackers of small archives that have ended well; making one costs as much as unpacking what they are made for. */
const idle: ZstdUnpacker[] = [];
const MOST_IDLE = 16;
const SMALL_PIECE_BYTES = 16 * 1024;

/**
 * Unpacks zstd in this thread, into memory that is used again. Frames may follow each other.
 *
 * Node's stream of the same decoder takes ten times as long for an archive of 300 MB: each piece is new memory, a turn of
 * another thread, and work for the collector of memory.
 */
export class ZstdUnpacker {
  readonly #decoder: ZstdDecompress;
  readonly #inside: Inside;
  readonly #left: Left;
  readonly #output: Uint8Array;
  #failure: string | undefined;
  #isBegun = false;
  #isAtEnd = false;

  private constructor(decoder: ZstdDecompress, inside: Inside, left: Left, pieceBytes: number) {
    this.#decoder = decoder;
    this.#inside = inside;
    this.#left = left;
    this.#output = new Uint8Array(pieceBytes);
    inside.onerror = (message) => {
      this.#failure = message;
    };
  }

  /**
   * @param pieceBytes The longest piece to be given.
   * @returns `undefined` where Node's decoder has other insides than the ones known here.
   */
  static open(pieceBytes: number): ZstdUnpacker | undefined {
    if (!isKnown()) return undefined;
    return (pieceBytes <= SMALL_PIECE_BYTES ? idle.pop() : undefined) ?? ZstdUnpacker.#make(pieceBytes);
  }

  static #make(pieceBytes: number): ZstdUnpacker | undefined {
    const decoder = createZstdDecompress({ chunkSize: constants.Z_MIN_CHUNK });
    const { _handle: inside, _writeState: left } = decoder as unknown as { _handle?: unknown; _writeState?: unknown };
    const isInside = typeof (inside as Partial<Inside> | undefined)?.writeSync === "function";
    if (isInside && left instanceof Uint32Array && left.length === 2)
      return new ZstdUnpacker(
        decoder,
        inside as Inside,
        left as unknown as Left,
        Math.max(pieceBytes, SMALL_PIECE_BYTES),
      );
    decoder.destroy();
    return undefined;
  }

  /** Whether the decoder of this Node does what is expected of it. */
  static isAsExpected(): boolean {
    const contents = new Uint8Array(3 * SMALL_PIECE_BYTES).map((_, i) => i >> 5);
    const unpacker = ZstdUnpacker.#make(SMALL_PIECE_BYTES);
    if (unpacker === undefined) return false;
    try {
      const found = [...unpacker.push(zstdCompressSync(contents))].map((piece) => new Uint8Array(piece));
      unpacker.finish();
      return equalBytes(Buffer.concat(found), contents);
    } catch {
      return false;
    } finally {
      unpacker.#decoder.destroy();
    }
  }

  /** Unpack some more. Each piece holds until the next one is asked for. @throws {CodedError} `cache.compression-malformed` */
  *push(bytes: Uint8Array): Generator<Uint8Array, void> {
    const output = this.#output;
    this.#isBegun ||= bytes.length > 0;
    let at = 0;
    do {
      const unused = this.#step(constants.ZSTD_e_continue, bytes, at);
      at = bytes.length - unused;
      const size = output.length - this.#left[0];
      if (size > 0) yield output.subarray(0, size);
    } while (this.#left[0] === 0 || at < bytes.length);
  }

  /** There is no more. @throws {CodedError} `cache.compression-malformed` when the last frame is not complete */
  finish(): void {
    // One that has been used before would take nothing for the end of what it had.
    if (!this.#isBegun) throw malformedArchive("zstd", "it is empty");
    this.#step(constants.ZSTD_e_end, NOTHING, 0);
    this.#isAtEnd = true;
  }

  /** To be called once, at the end. */
  close(): void {
    if (this.#isAtEnd && this.#output.length === SMALL_PIECE_BYTES && idle.length < MOST_IDLE) {
      this.#isAtEnd = false;
      this.#isBegun = false;
      idle.push(this);
    } else this.#decoder.destroy();
  }

  /** Gives the unused bytes of the input. */
  #step(flush: number, bytes: Uint8Array, at: number): number {
    const output = this.#output;
    this.#inside.writeSync(flush, bytes, at, bytes.length - at, output, 0, output.length);
    if (this.#failure !== undefined) throw malformedArchive("zstd", this.#failure);
    return this.#left[1];
  }
}

let known: boolean | undefined;

function isKnown(): boolean {
  known ??= ZstdUnpacker.isAsExpected();
  return known;
}
