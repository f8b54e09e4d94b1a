import { closeSync, constants, lstatSync, openSync, readSync, type Stats } from "node:fs";
import { CodedError, sortedText, utf8 } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { NAR_TOKENS, narPadding, type NarSink } from "../../store/index.ts";
import { canonicaliseEntry, entryKind, isExecutable } from "./canonicalise.ts";
import { hostPath, readNames, readTarget } from "./host-path.ts";

/** Size of the buffer pieces are handed out from. Small pieces cost calls, big ones cache misses. */
const BUFFER_BYTES = 256 * 1024;
/** Files up to here are read at once, many into one piece. */
const SMALL_FILE_BYTES = 64 * 1024;
const LENGTH_BYTES = 8;
/** In texts that hold other bytes than UTF-8 (see `fromUtf8`), and in a few that do not. */
const SURROGATE = /[\uD800-\uDFFF]/;
/** Room for what stands around the bytes of one string: its length and its padding. */
const FRAME_BYTES = 16;

export interface WalkOptions {
  /** Which entries below the root count. Default all. */
  readonly filter?: TreeFilter | undefined;
  /** Give every file canonical metadata on the way (see `canonicaliseEntry`). Default false. */
  readonly canonicalise?: boolean | undefined;
  /** Told of every entry before its contents are read. */
  readonly inspect?: ((path: string, stat: Stats) => void) | undefined;
  /** Whether execute bits count. Default true. */
  readonly executables?: boolean | undefined;
  /** Is told of every node on the way, so that a copy need not read the archive again. */
  readonly sink?: ReadingSink | undefined;
}

/** A sink that may have memory of its own for contents, so that those of big files are read to where they are needed. */
export interface ReadingSink extends NarSink {
  /**
   * Room for contents that come next, at most so long and not empty; what was read to it is told by `data` before anything else. The
   * bytes stay as they are until the sink is told of more.
   */
  room?(longestBytes: number): Uint8Array | undefined;
}

/**
 * The NAR of a tree or file on the host, in pieces, read as they are asked for.
 *
 * Each piece is a view of a buffer and valid until the next is asked for: hash it, scan it, write it, or copy it.
 *
 * @throws {CodedError} `source.missing`, `files.unsupported-type`, `files.changed` when a file shrinks while it is read
 */
export function* walkNar(path: string, options: WalkOptions = {}): Generator<Uint8Array, void> {
  const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  try {
    yield* new Walk(options, buffer).run(path);
  } finally {
    if (spare.length < MOST_SPARE) spare.push(buffer);
  }
}

/** Buffers of walks that have ended: for a small object a new one would cost more than all the rest. */
const spare: Buffer[] = [];
const MOST_SPARE = 4;

class Walk {
  readonly #options: WalkOptions;
  readonly #sink: ReadingSink | undefined;
  readonly #buffer: Buffer;
  #filled = 0;
  /** Bytes of pieces that were given out. */
  #given = 0;

  constructor(options: WalkOptions, buffer: Buffer) {
    this.#buffer = buffer;
    this.#options = options;
    this.#sink = options.sink;
  }

  *run(path: string): Generator<Uint8Array, void> {
    const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new CodedError("source.missing", `Cannot read "${path}": there is no such file or directory`, {
        hint: "Check the path, which counts from the folder of the command.",
      });
    }
    this.#put(NAR_TOKENS.start);
    yield* this.#node(path, "", stat);
    if (this.#filled > 0) yield this.#take();
  }

  *#node(path: string, relative: string, stat: Stats): Generator<Uint8Array, void> {
    const kind = entryKind(path, stat);
    this.#options.inspect?.(path, stat);
    if (this.#options.canonicalise === true) canonicaliseEntry(path, stat);
    if (kind === "symlink") {
      const target = readTarget(path);
      this.#sink?.symlink(relative, target);
      if (!this.#fits(NAR_TOKENS.symlink.length + longestUtf8(target))) yield this.#take();
      this.#put(NAR_TOKENS.symlink);
      this.#putText(target);
    } else if (kind === "file") {
      if (!this.#fits(NAR_TOKENS.executable.length + Math.min(stat.size, SMALL_FILE_BYTES))) yield this.#take();
      if (stat.size <= SMALL_FILE_BYTES) this.#smallFile(path, relative, stat);
      else yield* this.#file(path, relative, stat);
    } else {
      this.#sink?.directory(relative);
      if (!this.#fits(NAR_TOKENS.directory.length)) yield this.#take();
      this.#put(NAR_TOKENS.directory);
      for (const name of sortedText(readNames(path)))
        yield* this.#entry(`${path}/${name}`, relative === "" ? name : `${relative}/${name}`, name);
      this.#sink?.endDirectory(relative);
    }
    if (!this.#fits(NAR_TOKENS.close.length)) yield this.#take();
    this.#put(NAR_TOKENS.close);
  }

  *#entry(path: string, relative: string, name: string): Generator<Uint8Array, void> {
    const stat = lstatSync(hostPath(path));
    const { filter } = this.#options;
    if (filter !== undefined && !filter(relative, entryKind(path, stat))) return;
    if (!this.#fits(NAR_TOKENS.entry.length + longestUtf8(name) + NAR_TOKENS.node.length)) yield this.#take();
    this.#put(NAR_TOKENS.entry);
    this.#putText(name);
    this.#put(NAR_TOKENS.node);
    yield* this.#node(path, relative, stat);
    if (!this.#fits(NAR_TOKENS.close.length)) yield this.#take();
    this.#put(NAR_TOKENS.close);
  }

  /** A file that fits in with all that stands around it. */
  #smallFile(path: string, relative: string, stat: Stats): void {
    const { size } = stat;
    this.#beginFile(relative, stat);
    if (size > 0) {
      const start = this.#filled;
      const fd = openFile(path);
      try {
        while (this.#filled < start + size) {
          const left = start + size - this.#filled;
          this.#filled += readSome(fd, this.#buffer, this.#filled, left, { path, left });
        }
      } finally {
        closeSync(fd);
      }
      this.#sink?.data(this.#buffer.subarray(start, this.#filled));
      this.#putPadding(size);
    }
    this.#sink?.endFile(relative);
  }

  /** What was begun goes out first, and contents are pieces of their own: they may lie in the memory of the sink. */
  *#file(path: string, relative: string, stat: Stats): Generator<Uint8Array, void> {
    const { size } = stat;
    this.#beginFile(relative, stat);
    yield this.#take();
    const fd = openFile(path);
    try {
      for (let left = size; left > 0; ) {
        const room = this.#sink?.room?.(left) ?? this.#buffer;
        const read = readSome(fd, room, 0, Math.min(left, room.length), { path, left });
        const piece = room.subarray(0, read);
        this.#sink?.data(piece);
        this.#given += read;
        left -= read;
        yield piece;
      }
    } finally {
      closeSync(fd);
    }
    this.#putPadding(size);
    this.#sink?.endFile(relative);
  }

  #beginFile(relative: string, stat: Stats): void {
    const executable = isExecutable(stat) && this.#options.executables !== false;
    this.#put(executable ? NAR_TOKENS.executable : NAR_TOKENS.file);
    this.#putLength(stat.size);
    this.#sink?.file(relative, { executable, size: stat.size, offset: this.#given + this.#filled });
  }

  /** Whether so many bytes fit in as they are, with a length and padding beside them; at most a name or target does always. */
  #fits(length: number): boolean {
    return this.#filled + length + FRAME_BYTES <= BUFFER_BYTES;
  }

  #putText(text: string): void {
    const start = this.#filled + LENGTH_BYTES;
    const length = writeUtf8(text, this.#buffer, start);
    this.#putLength(length);
    this.#filled += length;
    this.#putPadding(length);
  }

  #putLength(length: number): void {
    this.#filled = this.#buffer.writeUInt32LE(length % 0x1_0000_0000, this.#filled);
    this.#filled = this.#buffer.writeUInt32LE(Math.floor(length / 0x1_0000_0000), this.#filled);
  }

  #putPadding(length: number): void {
    const padding = narPadding(length);
    this.#buffer.fill(0, this.#filled, this.#filled + padding);
    this.#filled += padding;
  }

  #put(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #take(): Uint8Array {
    const piece = this.#buffer.subarray(0, this.#filled);
    this.#given += this.#filled;
    this.#filled = 0;
    return piece;
  }
}

/** Not through a link, and without waiting for what may have taken the file's place: a pipe nobody writes to. */
function openFile(path: string): number {
  return openSync(hostPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Read some of what is left of a file. @throws {CodedError} `files.changed` when there is nothing */
function readSome(
  fd: number,
  to: Uint8Array,
  at: number,
  longestBytes: number,
  { path, left }: { readonly path: string; readonly left: number },
): number {
  const read = readSync(fd, to, at, longestBytes, null);
  if (read > 0) return read;
  throw new CodedError("files.changed", `Cannot read "${path}": it shrank by ${left} bytes while it was read`);
}

/** How many bytes a text has at most. */
function longestUtf8(text: string): number {
  return text.length * 3;
}

/** Write a text as `utf8` gives it, without memory of its own for what most names are. */
function writeUtf8(text: string, to: Buffer, at: number): number {
  if (!SURROGATE.test(text)) return to.write(text, at);
  const bytes = utf8(text);
  to.set(bytes, at);
  return bytes.length;
}
