import { closeSync, constants, lstatSync, openSync, readSync, type Stats } from "node:fs";
import { CodedError, sortedText, utf8 } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { NAR_TOKENS, narPadding, type NarSink } from "../../store/index.ts";
import { canonicaliseEntry, entryKind, isExecutable } from "./canonicalise.ts";
import { hostPath, readNames, readTarget } from "./host-path.ts";

/** Size of the buffer pieces are handed out from. Small pieces cost calls, big ones cache misses. */
const BUFFER_BYTES = 256 * 1024;
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
  readonly sink?: NarSink | undefined;
}

/**
 * The NAR of a tree or file on the host, in pieces, read as they are asked for.
 *
 * Each piece is a view of one buffer and valid until the next is asked for: hash it, scan it, write it, or copy it.
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
  readonly #sink: NarSink | undefined;
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
      throw new CodedError("source.missing", `Cannot read "${path}": there is no such file or directory`);
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
      const bytes = utf8(target);
      if (!this.#fits(NAR_TOKENS.symlink.length + bytes.length)) yield this.#take();
      this.#put(NAR_TOKENS.symlink);
      this.#putString(bytes);
    } else if (kind === "file") {
      yield* this.#file(path, relative, stat);
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
    const bytes = utf8(name);
    if (!this.#fits(NAR_TOKENS.entry.length + bytes.length + NAR_TOKENS.node.length)) yield this.#take();
    this.#put(NAR_TOKENS.entry);
    this.#putString(bytes);
    this.#put(NAR_TOKENS.node);
    yield* this.#node(path, relative, stat);
    if (!this.#fits(NAR_TOKENS.close.length)) yield this.#take();
    this.#put(NAR_TOKENS.close);
  }

  *#file(path: string, relative: string, stat: Stats): Generator<Uint8Array, void> {
    const { size } = stat;
    const executable = isExecutable(stat) && this.#options.executables !== false;
    const tokens = executable ? NAR_TOKENS.executable : NAR_TOKENS.file;
    if (!this.#fits(tokens.length)) yield this.#take();
    this.#put(tokens);
    this.#putLength(size);
    this.#sink?.file(relative, { executable, size, offset: this.#given + this.#filled });
    if (size > 0) {
      const fd = openSync(hostPath(path), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        for (let left = size; left > 0; ) {
          if (this.#filled === BUFFER_BYTES) yield this.#take();
          const read = readSync(fd, this.#buffer, this.#filled, Math.min(left, BUFFER_BYTES - this.#filled), null);
          if (read === 0)
            throw new CodedError(
              "files.changed",
              `Cannot read "${path}": it shrank by ${left} bytes while it was read`,
            );
          this.#sink?.data(this.#buffer.subarray(this.#filled, this.#filled + read));
          this.#filled += read;
          left -= read;
        }
      } finally {
        closeSync(fd);
      }
      if (!this.#fits(0)) yield this.#take();
      this.#putPadding(size);
    }
    this.#sink?.endFile(relative);
  }

  /** Whether so many bytes fit in as they are, with a length and padding beside them; at most a name or target does always. */
  #fits(length: number): boolean {
    return this.#filled + length + FRAME_BYTES <= BUFFER_BYTES;
  }

  #putString(bytes: Uint8Array): void {
    this.#putLength(bytes.length);
    this.#put(bytes);
    this.#putPadding(bytes.length);
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
