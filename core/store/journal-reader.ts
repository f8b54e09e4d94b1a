import { type CodedError, fromUtf8 } from "../base/index.ts";
import { type JournalRecord, MAX_JOURNAL_LINE_BYTES, parseJournalLine } from "./journal.ts";
import { STORE_DIRECTORY } from "./store-path.ts";

/** A stretch of a journal that cannot be read. */
export interface JournalDamage {
  /** Bytes from the beginning. */
  readonly offset: number;
  readonly sizeBytes: number;
}

const LINE_BREAK = 0x0a;

/**
 * Reads a journal in pieces of any size. Lines that cannot be read are passed over and counted; an unfinished line at the end is
 * what an interrupted write leaves, and no damage. Memory is bounded by the longest line.
 */
export class JournalReader {
  readonly damage: JournalDamage[] = [];
  readonly #storeDirectory: string;
  #pieces: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Where the pending line begins. */
  #offset = 0;
  #goodBytes = 0;

  constructor(storeDirectory: string = STORE_DIRECTORY) {
    this.#storeDirectory = storeDirectory;
  }

  /** Bytes up to the end of the last line that could be read. */
  get goodBytes(): number {
    return this.#goodBytes;
  }

  /**
   * The records that end in a piece. They must be taken before the next piece is pushed.
   *
   * @throws {CodedError} `journal.unsupported`
   */
  *push(piece: Uint8Array): Generator<JournalRecord, void> {
    let start = 0;
    for (let end = piece.indexOf(LINE_BREAK); end >= 0; end = piece.indexOf(LINE_BREAK, start)) {
      this.#keep(piece.subarray(start, end));
      start = end + 1;
      const record = this.#takeLine();
      if (record !== undefined) yield record;
    }
    // A copy: the caller may fill the piece anew.
    this.#keep(piece.slice(start));
  }

  /** Bytes of an unfinished line at the end. */
  get tornBytes(): number {
    return this.#pendingBytes;
  }

  #keep(bytes: Uint8Array): void {
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes <= MAX_JOURNAL_LINE_BYTES) this.#pieces.push(bytes);
    else this.#pieces = [];
  }

  #takeLine(): JournalRecord | undefined {
    const sizeBytes = this.#pendingBytes + 1;
    const offset = this.#offset;
    const record = sizeBytes > MAX_JOURNAL_LINE_BYTES ? undefined : this.#parse();
    this.#pieces = [];
    this.#pendingBytes = 0;
    this.#offset += sizeBytes;
    if (record === undefined) this.#addDamage(offset, sizeBytes);
    else this.#goodBytes = this.#offset;
    return record;
  }

  #parse(): JournalRecord | undefined {
    const line = fromUtf8(join(this.#pieces, this.#pendingBytes));
    try {
      return parseJournalLine(line, this.#storeDirectory);
    } catch (error) {
      if ((error as CodedError).code === "journal.malformed") return undefined;
      throw error;
    }
  }

  #addDamage(offset: number, sizeBytes: number): void {
    const last = this.damage.at(-1);
    if (last === undefined || last.offset + last.sizeBytes !== offset) this.damage.push({ offset, sizeBytes });
    else this.damage[this.damage.length - 1] = { offset: last.offset, sizeBytes: last.sizeBytes + sizeBytes };
  }
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  if (pieces.length === 1) return pieces[0] as Uint8Array;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
