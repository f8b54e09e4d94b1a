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

const LONGEST_WORD = 16;
const LONGEST_NAME = 255;
const LONGEST_TARGET = 4095;
/** Of a path inside the archive. No call to a file system names what lies deeper, so no store can hold it. */
const LONGEST_PATH = 4095;
const SHORT_TEXT = 40;

function malformed(found: string): CodedError {
  return new CodedError("nar.malformed", `Cannot read the archive: ${found}`);
}

/** What comes next. Words that allow no choice are named by what they are. */
type Expected =
  | "magic"
  | "node-open"
  | "type-word"
  | "type"
  | "target-word"
  | "target"
  | "file-word"
  | "executable-value"
  | "contents-word"
  | "size"
  | "contents"
  | "contents-padding"
  | "node-close"
  | "entry-or-close"
  | "entry-open"
  | "name-word"
  | "name"
  | "node-word"
  | "entry-close"
  | "nothing";

/** The one word that may stand at a place, and what comes after it. */
const WORDS: { readonly [place in Expected]?: readonly [word: string, next: Expected] } = {
  magic: [NAR_MAGIC, "node-open"],
  "node-open": ["(", "type-word"],
  "type-word": ["type", "type"],
  "target-word": ["target", "target"],
  "executable-value": ["", "contents-word"],
  "contents-word": ["contents", "size"],
  "entry-open": ["(", "name-word"],
  "name-word": ["name", "name"],
  "node-word": ["node", "node-open"],
  "entry-close": [")", "entry-or-close"],
};

const LONGEST: { readonly [place in Expected]?: readonly [sizeBytes: number, what: string] } = {
  name: [LONGEST_NAME, "a name"],
  target: [LONGEST_TARGET, "a link target"],
};

/** Size of a length. */
const LENGTH_BYTES = 8;

interface OpenDirectory {
  readonly path: string;
  readonly pathBytes: number;
  /** Name of the last entry so far. */
  last: string | undefined;
}

/**
 * A strict streaming reader of archives: push pieces as they arrive, the sink is told what they hold.
 *
 * Refused are wrong magic, unknown or misplaced tokens, padding that is not zero, unsorted or repeated names, names that
 * could leave the tree, lengths no such token has (before anything is allocated for them), and paths no file system can name.
 * So what is held is bounded, whatever the archive: one token and the open directories.
 *
 * Source: Nix manual, "Nix Archive (NAR) format".
 */
export class NarParser {
  readonly #sink: NarSink;
  /** Open directories, without recursion, so that depth costs nothing. */
  readonly #open: OpenDirectory[] = [];
  #expected: Expected = "magic";
  /** Path of the node that is being read. */
  #path = "";
  #pathBytes = 0;
  #executable = false;
  /** Bytes of the file's contents that are still to come. */
  #left = 0;
  #fileSize = 0;
  /** Size of the string whose length was read, `undefined` before that. */
  #length: number | undefined;
  /** What of the next whole piece came in earlier chunks. */
  #held: Uint8Array | undefined;
  #heldSize = 0;
  #position = 0;

  constructor(sink: NarSink) {
    this.#sink = sink;
  }

  /** Whether the archive has been read to its end. */
  get done(): boolean {
    return this.#expected === "nothing";
  }

  /** Bytes that were read so far. */
  get position(): number {
    return this.#position;
  }

  /**
   * Read on. Bytes after the archive's end are left alone.
   *
   * @returns How many bytes belonged to the archive.
   * @throws {CodedError} `nar.malformed`; what the sink throws passes through.
   */
  push(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && this.#expected !== "nothing") {
      if (this.#expected === "contents") {
        const piece = chunk.subarray(at, at + this.#left);
        at += piece.length;
        this.#position += piece.length;
        this.#left -= piece.length;
        this.#sink.data(piece);
        if (this.#left === 0) this.#endContents();
        continue;
      }
      const size = this.#size();
      const wanted = size - this.#heldSize;
      if (this.#heldSize === 0 && chunk.length - at >= size) {
        at += size;
        this.#position += size;
        this.#take(chunk, at - size);
        continue;
      }
      const part = chunk.subarray(at, at + wanted);
      this.#held ??= new Uint8Array(LONGEST_TARGET + LENGTH_BYTES);
      this.#held.set(part, this.#heldSize);
      this.#heldSize += part.length;
      at += part.length;
      this.#position += part.length;
      if (this.#heldSize < size) break;
      this.#heldSize = 0;
      this.#take(this.#held, 0);
    }
    return at;
  }

  /** @throws {CodedError} `nar.malformed` when the archive is not complete. */
  finish(): void {
    if (!this.done) throw malformed(`it ends after ${this.#position} bytes, expected more`);
  }

  /** How many bytes are needed to go on: a length, a string with its padding, or padding. */
  #size(): number {
    if (this.#expected === "contents-padding") return narPadding(this.#fileSize);
    return this.#length === undefined ? LENGTH_BYTES : this.#length + narPadding(this.#length);
  }

  /** So many bytes as were needed, from `at` on. */
  #take(bytes: Uint8Array, at: number): void {
    if (this.#expected === "contents-padding") {
      this.#checkPadding(bytes, at, at + narPadding(this.#fileSize));
      this.#endFile();
    } else if (this.#expected === "size") {
      this.#beginContents(this.#readLength(bytes, at, Number.MAX_SAFE_INTEGER, `the contents of "${this.#path}"`));
    } else if (this.#length === undefined) {
      const [longest, what] = LONGEST[this.#expected] ?? [LONGEST_WORD, "a token"];
      const length = this.#readLength(bytes, at, longest, what);
      if (length === 0) this.#string(bytes, at, 0);
      else this.#length = length;
    } else {
      const length = this.#length;
      this.#length = undefined;
      this.#checkPadding(bytes, at + length, at + length + narPadding(length));
      this.#string(bytes, at, length);
    }
  }

  #string(bytes: Uint8Array, at: number, length: number): void {
    const fixed = WORDS[this.#expected];
    if (fixed !== undefined) {
      const [word, next] = fixed;
      if (!isWord(bytes, at, length, word)) {
        const found = fromUtf8(bytes.subarray(at, at + length));
        throw malformed(`found "${found}" before byte ${this.#position}, expected "${word}"`);
      }
      this.#expected = next;
      return;
    }
    const text = textOf(bytes, at, length);
    switch (this.#expected) {
      case "type":
        return this.#type(text);
      case "file-word":
        return this.#fileWord(text);
      case "target":
        return this.#target(text);
      case "name":
        return this.#name(text, length);
      case "entry-or-close":
        return this.#entryOrClose(text);
      default:
        if (text !== ")") throw malformed(`found "${text}" before byte ${this.#position}, expected ")"`);
        this.#endNode();
    }
  }

  #type(type: string): void {
    if (type === "regular") {
      this.#executable = false;
      this.#expected = "file-word";
    } else if (type === "directory") {
      this.#sink.directory(this.#path);
      this.#open.push({ path: this.#path, pathBytes: this.#pathBytes, last: undefined });
      this.#expected = "entry-or-close";
    } else if (type === "symlink") {
      this.#expected = "target-word";
    } else {
      throw malformed(`"${this.#path}" has the type "${type}", expected regular, directory or symlink`);
    }
  }

  #target(target: string): void {
    if (target === "" || target.includes("\0"))
      throw malformed(`"${this.#path}" is a link to an empty target or one with NUL`);
    this.#sink.symlink(this.#path, target);
    this.#expected = "node-close";
  }

  #fileWord(word: string): void {
    if (word === "executable") {
      this.#executable = true;
      this.#expected = "executable-value";
    } else if (word === "contents") {
      this.#expected = "size";
    } else {
      throw malformed(`found "${word}" in the file "${this.#path}", expected "contents"`);
    }
  }

  #beginContents(size: number): void {
    this.#fileSize = size;
    this.#left = size;
    this.#sink.file(this.#path, { executable: this.#executable, size, offset: this.#position });
    if (size === 0) this.#endFile();
    else this.#expected = "contents";
  }

  #endContents(): void {
    if (narPadding(this.#fileSize) === 0) this.#endFile();
    else this.#expected = "contents-padding";
  }

  #endFile(): void {
    this.#sink.endFile(this.#path);
    this.#expected = "node-close";
  }

  #entryOrClose(word: string): void {
    if (word === "entry") {
      this.#expected = "entry-open";
    } else if (word === ")") {
      this.#sink.endDirectory((this.#open.pop() as OpenDirectory).path);
      this.#endNode();
    } else {
      throw malformed(`found "${word}" in a directory, expected "entry" or ")"`);
    }
  }

  #name(name: string, sizeBytes: number): void {
    const directory = this.#open.at(-1) as OpenDirectory;
    if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
      throw malformed(`found the name ${JSON.stringify(name)}, expected one that stays in its directory`);
    }
    if (directory.last !== undefined && compareText(directory.last, name) >= 0)
      throw malformed(`the name "${name}" follows "${directory.last}", expected names in byte order, each once`);
    directory.last = name;
    this.#pathBytes = directory.pathBytes + sizeBytes + (directory.path === "" ? 0 : 1);
    if (this.#pathBytes > LONGEST_PATH)
      throw malformed(
        `found a path of ${this.#pathBytes} bytes before byte ${this.#position}, expected at most ${LONGEST_PATH}`,
      );
    this.#path = directory.path === "" ? name : `${directory.path}/${name}`;
    this.#expected = "node-word";
  }

  /** The archive ends with its root. */
  #endNode(): void {
    this.#expected = this.#open.length === 0 ? "nothing" : "entry-close";
  }

  #readLength(bytes: Uint8Array, at: number, longest: number, what: string): number {
    let length = 0;
    for (let i = at + LENGTH_BYTES - 1; i >= at; i--) length = length * 256 + (bytes[i] as number);
    if (length > longest)
      throw malformed(`found ${length} bytes for ${what} at byte ${this.#position}, expected at most ${longest}`);
    return length;
  }

  #checkPadding(bytes: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++)
      if (bytes[i] !== 0) throw malformed(`the padding before byte ${this.#position} is not zero`);
  }
}

/** A decoder costs more than a short text that is plain ASCII, as most are. */
function textOf(bytes: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let i = at; i < at + length; i++) {
    const byte = bytes[i] as number;
    if (byte >= 0x80 || length > SHORT_TEXT) return fromUtf8(bytes.subarray(at, at + length));
    text += String.fromCharCode(byte);
  }
  return text;
}

function isWord(bytes: Uint8Array, at: number, length: number, word: string): boolean {
  if (length !== word.length) return false;
  for (let i = 0; i < length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}
