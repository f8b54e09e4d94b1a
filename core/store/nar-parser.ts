import { CodedError, compareText, fromUtf8 } from "../base/index.ts";
import { NAR_MAGIC, narPadding } from "./nar-tokens.ts";

/** Receives an archive in its own order. `path` is relative to the root, which is the empty text; parents come first. */
export interface NarSink {
  directory(path: string): void;
  endDirectory(path: string): void;
  /** `offset`: where the contents begin in the archive, in bytes. */
  file(path: string, file: { readonly executable: boolean; readonly size: number; readonly offset: number }): void;
  /** Contents of the file begun last, in order. The bytes are valid during the call only. */
  data(chunk: Uint8Array): void;
  endFile(path: string): void;
  symlink(path: string, target: string): void;
}

/** What the reader waits for: exactly `size` bytes, or as many of them as there are. */
interface Need {
  readonly size: number;
  readonly whole: boolean;
}

type Reading<T> = Generator<Need, T, Uint8Array>;

const LONGEST_WORD = 16;
const LONGEST_NAME = 255;
const LONGEST_TARGET = 4095;

function malformed(found: string): CodedError {
  return new CodedError("nar.malformed", `Cannot read the archive: ${found}`);
}

/**
 * A strict streaming reader of archives: push pieces as they arrive, the sink is told what they hold.
 *
 * Refused are wrong magic, unknown or misplaced tokens, padding that is not zero, unsorted or repeated names, names that
 * could leave the tree, and lengths no such token has (before anything is allocated for them).
 *
 * Source: Nix manual, "Nix Archive (NAR) format".
 */
export class NarParser {
  readonly #sink: NarSink;
  readonly #reading: Reading<void>;
  #need: Need | undefined;
  #held = new Uint8Array(LONGEST_TARGET + 8);
  #heldSize = 0;
  #position = 0;

  constructor(sink: NarSink) {
    this.#sink = sink;
    this.#reading = this.#archive();
    this.#advance(this.#reading.next());
  }

  /** Whether the archive has been read to its end. */
  get done(): boolean {
    return this.#need === undefined;
  }

  /**
   * Read on. Bytes after the archive's end are left alone.
   *
   * @returns How many bytes belonged to the archive.
   * @throws {CodedError} `nar.malformed`; what the sink throws passes through.
   */
  push(chunk: Uint8Array): number {
    let at = 0;
    while (this.#need !== undefined && at < chunk.length) {
      const { size, whole } = this.#need;
      const wanted = size - this.#heldSize;
      const available = Math.min(wanted, chunk.length - at);
      const piece = chunk.subarray(at, at + available);
      at += available;
      this.#position += available;
      if (whole && (available < wanted || this.#heldSize > 0)) {
        this.#held.set(piece, this.#heldSize);
        this.#heldSize += available;
        if (this.#heldSize < size) break;
        this.#heldSize = 0;
        this.#advance(this.#reading.next(this.#held.subarray(0, size)));
      } else {
        this.#advance(this.#reading.next(piece));
      }
    }
    return at;
  }

  /** @throws {CodedError} `nar.malformed` when the archive is not complete. */
  finish(): void {
    if (!this.done) throw malformed(`it ends after ${this.#position} bytes, expected more`);
  }

  #advance(step: IteratorResult<Need, void>): void {
    this.#need = step.done === true ? undefined : step.value;
  }

  *#archive(): Reading<void> {
    yield* this.#expect(NAR_MAGIC);
    // Open directories, without recursion, so that depth costs nothing.
    const open: { readonly path: string; last: string | undefined }[] = [];
    yield* this.#node("", open);
    for (let directory = open.at(-1); directory !== undefined; directory = open.at(-1)) {
      const word = yield* this.#word();
      if (word === "entry") {
        yield* this.#expect("(");
        yield* this.#expect("name");
        const name = yield* this.#name(directory.last);
        directory.last = name;
        yield* this.#expect("node");
        const depth = open.length;
        yield* this.#node(directory.path === "" ? name : `${directory.path}/${name}`, open);
        if (open.length === depth) yield* this.#expect(")");
      } else if (word === ")") {
        open.pop();
        this.#sink.endDirectory(directory.path);
        if (open.length > 0) yield* this.#expect(")");
      } else {
        throw malformed(`found "${word}" in a directory, expected "entry" or ")"`);
      }
    }
  }

  /** A node up to its ")"; a directory is only opened. */
  *#node(path: string, open: { readonly path: string; last: string | undefined }[]): Reading<void> {
    yield* this.#expect("(");
    yield* this.#expect("type");
    const type = yield* this.#word();
    if (type === "directory") {
      this.#sink.directory(path);
      open.push({ path, last: undefined });
    } else if (type === "symlink") {
      yield* this.#expect("target");
      const target = fromUtf8(yield* this.#string(LONGEST_TARGET, "a link target"));
      if (target === "" || target.includes("\0"))
        throw malformed(`"${path}" is a link to an empty target or one with NUL`);
      this.#sink.symlink(path, target);
      yield* this.#expect(")");
    } else if (type === "regular") {
      yield* this.#file(path);
      yield* this.#expect(")");
    } else {
      throw malformed(`"${path}" has the type "${type}", expected regular, directory or symlink`);
    }
  }

  *#file(path: string): Reading<void> {
    let word = yield* this.#word();
    const executable = word === "executable";
    if (executable) {
      yield* this.#expect("");
      word = yield* this.#word();
    }
    if (word !== "contents") throw malformed(`found "${word}" in the file "${path}", expected "contents"`);
    const size = yield* this.#length(Number.MAX_SAFE_INTEGER, `the contents of "${path}"`);
    this.#sink.file(path, { executable, size, offset: this.#position });
    for (let left = size; left > 0; ) {
      const piece = yield { size: left, whole: false };
      left -= piece.length;
      this.#sink.data(piece);
    }
    yield* this.#padding(size);
    this.#sink.endFile(path);
  }

  *#name(last: string | undefined): Reading<string> {
    const name = fromUtf8(yield* this.#string(LONGEST_NAME, "a name"));
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
      throw malformed(`found the name ${JSON.stringify(name)}, expected one that stays in its directory`);
    }
    if (last !== undefined && compareText(last, name) >= 0)
      throw malformed(`the name "${name}" follows "${last}", expected names in byte order, each once`);
    return name;
  }

  *#expect(word: string): Reading<void> {
    const found = yield* this.#word();
    if (found !== word) throw malformed(`found "${found}" before byte ${this.#position}, expected "${word}"`);
  }

  *#word(): Reading<string> {
    return fromUtf8(yield* this.#string(LONGEST_WORD, "a token"));
  }

  *#string(longest: number, what: string): Reading<Uint8Array> {
    const size = yield* this.#length(longest, what);
    if (size === 0) return new Uint8Array(0);
    const bytes = (yield { size, whole: true }).slice();
    yield* this.#padding(size);
    return bytes;
  }

  *#length(longest: number, what: string): Reading<number> {
    const bytes = yield { size: 8, whole: true };
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    const length = view.getUint32(4, true) * 0x1_0000_0000 + view.getUint32(0, true);
    if (length > longest)
      throw malformed(`found ${length} bytes for ${what} at byte ${this.#position}, expected at most ${longest}`);
    return length;
  }

  *#padding(size: number): Reading<void> {
    const padding = narPadding(size);
    if (padding === 0) return;
    const bytes = yield { size: padding, whole: true };
    if (bytes.some((byte) => byte !== 0)) throw malformed(`the padding before byte ${this.#position} is not zero`);
  }
}
