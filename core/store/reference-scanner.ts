import { BASE32_ALPHABET, sortedText } from "../base/index.ts";
import { DIGEST_LENGTH, type StorePath, storePathDigest } from "./store-path.ts";

/** Value of a byte as base-32 symbol, 255 for others. */
const VALUE = new Uint8Array(256).fill(255);
for (let i = 0; i < BASE32_ALPHABET.length; i++) VALUE[BASE32_ALPHABET.charCodeAt(i)] = i;

/** Number of three-symbol beginnings, 15 bits. */
const BEGINNINGS = 1 << 15;

/**
 * Finds which store paths a stream of bytes mentions: every window of 32 base-32 symbols that is the digest of a candidate,
 * also inside longer runs and across pieces. Names do not matter.
 *
 * A window is looked at from its end, so that one foreign byte skips up to 32; most data cost one look per 32 bytes.
 *
 * Source: Nix, `RefScanSink`.
 */
export class ReferenceScanner {
  readonly #wanted = new Map<string, StorePath>();
  readonly #found = new Set<StorePath>();
  /** 1 for the first three symbols of candidates still wanted or found; spares making a text of most windows. */
  readonly #beginnings = new Uint8Array(BEGINNINGS);
  /** The last bytes of the pieces so far, with room for as many of the next. */
  readonly #seam = new Uint8Array(2 * (DIGEST_LENGTH - 1));
  #seamSize = 0;

  constructor(candidates: Iterable<StorePath>) {
    for (const path of candidates) {
      const digest = storePathDigest(path);
      this.#wanted.set(digest, path);
      this.#beginnings[beginning((i) => digest.charCodeAt(i))] = 1;
    }
  }

  update(chunk: Uint8Array): void {
    if (this.#wanted.size === 0 || chunk.length === 0) return;
    const keep = DIGEST_LENGTH - 1;
    if (this.#seamSize > 0) {
      const head = chunk.subarray(0, keep);
      this.#seam.set(head, this.#seamSize);
      this.#scan(this.#seam, this.#seamSize + head.length);
    }
    this.#scan(chunk, chunk.length);
    if (chunk.length >= keep) {
      this.#seam.set(chunk.subarray(chunk.length - keep));
      this.#seamSize = keep;
    } else {
      const size = this.#seamSize === 0 ? chunk.length : this.#seamSize + chunk.length;
      if (this.#seamSize === 0) this.#seam.set(chunk);
      const drop = Math.max(0, size - keep);
      this.#seam.copyWithin(0, drop, size);
      this.#seamSize = size - drop;
    }
  }

  /** What was found so far, sorted. */
  found(): StorePath[] {
    return sortedText(this.#found) as StorePath[];
  }

  #scan(bytes: Uint8Array, end: number): void {
    const value = VALUE;
    let start = 0;
    while (start + DIGEST_LENGTH <= end) {
      let i = start + DIGEST_LENGTH - 1;
      while (i >= start && value[bytes[i] as number] !== 255) i--;
      if (i >= start) {
        start = i + 1;
        continue;
      }
      // A whole window; walk on along its run, one symbol at a time.
      do {
        this.#look(bytes, start);
        start++;
      } while (start + DIGEST_LENGTH <= end && value[bytes[start + DIGEST_LENGTH - 1] as number] !== 255);
      start += DIGEST_LENGTH - 1;
    }
  }

  #look(bytes: Uint8Array, start: number): void {
    if (this.#beginnings[beginning((i) => bytes[start + i] as number)] === 0) return;
    let digest = "";
    for (let i = 0; i < DIGEST_LENGTH; i++) digest += String.fromCharCode(bytes[start + i] as number);
    const path = this.#wanted.get(digest);
    if (path === undefined) return;
    this.#found.add(path);
    this.#wanted.delete(digest);
  }
}

function beginning(byteAt: (i: number) => number): number {
  return ((VALUE[byteAt(0)] as number) << 10) | ((VALUE[byteAt(1)] as number) << 5) | (VALUE[byteAt(2)] as number);
}
