import { BASE32_ALPHABET, type Hash, type HashAlgorithm, makeHasher, utf8 } from "../base/index.ts";
import type { NarSink } from "./nar-parser.ts";
import { DIGEST_LENGTH } from "./store-path.ts";

/** Digests (32 characters) by what takes their place, of the same length. */
export type DigestRewrites = ReadonlyMap<string, string>;

/** Value of a byte as base-32 symbol, 255 for others. */
const VALUE = new Uint8Array(256).fill(255);
for (let i = 0; i < BASE32_ALPHABET.length; i++) VALUE[BASE32_ALPHABET.charCodeAt(i)] = i;

/** Bytes held back between pieces: a digest may begin in them. */
const SEAM = DIGEST_LENGTH - 1;
const EMPTY = new Uint8Array(0);

/**
 * Replaces digests in a stream of bytes, also across the seams of pieces. Occurrences are found from the left and do not
 * overlap; what was put in is not looked at again.
 *
 * Source: Nix, `RewritingSink`.
 */
export class DigestRewriter {
  readonly #rewrites = new Map<string, Uint8Array>();
  /** 1 for the first three symbols of digests that are replaced; spares making a text of most windows. */
  readonly #beginnings = new Uint8Array(1 << 15);
  readonly #offsets: number[] = [];
  #held: Uint8Array = EMPTY;
  #position = 0;

  /** @param rewrites What takes the place of a digest, 32 bytes or characters. */
  constructor(rewrites: ReadonlyMap<string, string | Uint8Array>) {
    for (const [from, to] of rewrites) {
      this.#rewrites.set(from, typeof to === "string" ? utf8(to) : to);
      this.#beginnings[beginning(utf8(from), 0)] = 1;
    }
  }

  /** Where digests were found, in bytes from the start of the stream, in order. */
  get offsets(): readonly number[] {
    return this.#offsets;
  }

  /** Take in a piece. @returns What is settled so far and was not returned yet: a new array, or `chunk` itself. */
  update(chunk: Uint8Array): Uint8Array {
    if (this.#rewrites.size === 0) return chunk;
    const bytes = new Uint8Array(this.#held.length + chunk.length);
    bytes.set(this.#held);
    bytes.set(chunk, this.#held.length);
    const settled = Math.max(this.#rewrite(bytes), bytes.length - SEAM);
    this.#held = bytes.slice(settled);
    this.#position += settled;
    return bytes.subarray(0, settled);
  }

  /** The last bytes of the stream. */
  finish(): Uint8Array {
    const last = this.#held;
    this.#held = EMPTY;
    this.#position += last.length;
    return last;
  }

  /** @returns The end of the last occurrence, 0 when there is none. */
  #rewrite(bytes: Uint8Array): number {
    let end = 0;
    let start = 0;
    while (start + DIGEST_LENGTH <= bytes.length) {
      // From the end of the window: one foreign byte skips all before it.
      let i = start + DIGEST_LENGTH - 1;
      while (i >= start && VALUE[bytes[i] as number] !== 255) i--;
      if (i >= start) {
        start = i + 1;
        continue;
      }
      // A whole window; walk on along its run, one symbol at a time.
      while (start + DIGEST_LENGTH <= bytes.length && VALUE[bytes[start + DIGEST_LENGTH - 1] as number] !== 255) {
        const to =
          this.#beginnings[beginning(bytes, start)] === 1
            ? this.#rewrites.get(String.fromCharCode(...bytes.subarray(start, start + DIGEST_LENGTH)))
            : undefined;
        if (to === undefined) {
          start++;
          continue;
        }
        bytes.set(to, start);
        this.#offsets.push(this.#position + start);
        start += DIGEST_LENGTH;
        end = start;
        break;
      }
    }
    return end;
  }
}

function beginning(bytes: Uint8Array, at: number): number {
  const symbol = (i: number): number => VALUE[bytes[at + i] as number] as number;
  return (symbol(0) << 10) | (symbol(1) << 5) | symbol(2);
}

/** Replace digests in a text, such as a name or a link target; all at once, so that two may take each other's place. */
export function rewriteDigests(text: string, rewrites: DigestRewrites): string {
  if (text.length < DIGEST_LENGTH || rewrites.size === 0) return text;
  return text.replace(new RegExp([...rewrites.keys()].join("|"), "g"), (digest) => rewrites.get(digest) as string);
}

/**
 * Replaces digests in the names, link targets and contents of a tree on its way to another sink.
 *
 * Names may come out in another order than archives have: the sink has to write a tree, not an archive.
 */
export class RewritingSink implements NarSink {
  readonly #sink: NarSink;
  readonly #rewrites: DigestRewrites;
  #contents: DigestRewriter;

  constructor(sink: NarSink, rewrites: DigestRewrites) {
    this.#sink = sink;
    this.#rewrites = rewrites;
    this.#contents = new DigestRewriter(rewrites);
  }

  directory(path: string): void {
    this.#sink.directory(rewriteDigests(path, this.#rewrites));
  }

  endDirectory(path: string): void {
    this.#sink.endDirectory(rewriteDigests(path, this.#rewrites));
  }

  file(path: string, file: Parameters<NarSink["file"]>[1]): void {
    this.#contents = new DigestRewriter(this.#rewrites);
    this.#sink.file(rewriteDigests(path, this.#rewrites), file);
  }

  data(chunk: Uint8Array): void {
    const settled = this.#contents.update(chunk);
    if (settled.length > 0) this.#sink.data(settled);
  }

  endFile(path: string): void {
    const last = this.#contents.finish();
    if (last.length > 0) this.#sink.data(last);
    this.#sink.endFile(rewriteDigests(path, this.#rewrites));
  }

  symlink(path: string, target: string): void {
    this.#sink.symlink(rewriteDigests(path, this.#rewrites), rewriteDigests(target, this.#rewrites));
  }
}

/** A hash modulo self, and where the own digest was found. */
export interface SelfHash {
  readonly hash: Hash;
  /** Bytes from the start of what was hashed, in order. */
  readonly offsets: readonly number[];
}

/**
 * Hash of an object that may mention itself: its own digest counts as 32 zero bytes, and the places where it was found are
 * hashed behind the contents, each as `|` and a decimal number. Without such a place it is the plain hash.
 *
 * Feed it the NAR for trees, the contents for flat files.
 *
 * Source: Nix, `HashModuloSink`.
 */
export class SelfHasher {
  readonly #hasher;
  readonly #rewriter: DigestRewriter;

  /** @param ownDigest The digest part of the path the object has or had while it was hashed. */
  constructor(algorithm: HashAlgorithm, ownDigest: string) {
    this.#hasher = makeHasher(algorithm);
    this.#rewriter = new DigestRewriter(new Map([[ownDigest, new Uint8Array(DIGEST_LENGTH)]]));
  }

  update(chunk: Uint8Array): void {
    this.#hasher.update(this.#rewriter.update(chunk));
  }

  /** Ask once, at the end. */
  digest(): SelfHash {
    this.#hasher.update(this.#rewriter.finish());
    const { offsets } = this.#rewriter;
    for (const offset of offsets) this.#hasher.update(utf8(`|${offset}`));
    return { hash: this.#hasher.digest(), offsets };
  }
}
