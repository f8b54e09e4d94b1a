import { closeSync, lstatSync, openSync, readSync, type Stats } from "node:fs";
import { CodedError, sortedText, utf8 } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { NAR_TOKENS, narPadding } from "../../store/index.ts";
import { canonicaliseEntry, entryKind, isExecutable } from "./canonicalise.ts";
import { hostPath, readNames, readTarget } from "./host-path.ts";

/** Size of the buffer pieces are handed out from. Small pieces cost calls, big ones cache misses. */
const BUFFER_BYTES = 256 * 1024;

export interface WalkOptions {
  /** Which entries below the root count. Default all. */
  readonly filter?: TreeFilter | undefined;
  /** Give every file canonical metadata on the way (see `canonicaliseEntry`). Default false. */
  readonly canonicalise?: boolean | undefined;
  /** Told of every entry before its contents are read. */
  readonly inspect?: ((path: string, stat: Stats) => void) | undefined;
}

/**
 * The NAR of a tree or file on the host, in pieces, read as they are asked for.
 *
 * Each piece is a view of one buffer and valid until the next is asked for: hash it, scan it, write it, or copy it.
 *
 * @throws {CodedError} `source.missing`, `files.unsupported-type`, `files.changed` when a file shrinks while it is read
 */
export function* walkNar(path: string, options: WalkOptions = {}): Generator<Uint8Array, void> {
  const walk = new Walk(options);
  yield* walk.run(path);
}

class Walk {
  readonly #options: WalkOptions;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #filled = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *run(path: string): Generator<Uint8Array, void> {
    const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
    if (stat === undefined) {
      throw new CodedError("source.missing", `Cannot read "${path}": there is no such file or directory`);
    }
    yield* this.#bytes(NAR_TOKENS.start);
    yield* this.#node(path, "", stat);
    if (this.#filled > 0) yield this.#take();
  }

  *#node(path: string, relative: string, stat: Stats): Generator<Uint8Array, void> {
    const kind = entryKind(path, stat);
    this.#options.inspect?.(path, stat);
    if (this.#options.canonicalise === true) canonicaliseEntry(path, stat);
    if (kind === "symlink") {
      yield* this.#bytes(NAR_TOKENS.symlink);
      yield* this.#string(utf8(readTarget(path)));
    } else if (kind === "file") {
      yield* this.#bytes(isExecutable(stat) ? NAR_TOKENS.executable : NAR_TOKENS.file);
      yield* this.#contents(path, stat.size);
    } else {
      yield* this.#bytes(NAR_TOKENS.directory);
      for (const name of sortedText(readNames(path)))
        yield* this.#entry(`${path}/${name}`, relative === "" ? name : `${relative}/${name}`, name);
    }
    yield* this.#bytes(NAR_TOKENS.close);
  }

  *#entry(path: string, relative: string, name: string): Generator<Uint8Array, void> {
    const stat = lstatSync(hostPath(path));
    const { filter } = this.#options;
    if (filter !== undefined && !filter(relative, entryKind(path, stat))) return;
    yield* this.#bytes(NAR_TOKENS.entry);
    yield* this.#string(utf8(name));
    yield* this.#bytes(NAR_TOKENS.node);
    yield* this.#node(path, relative, stat);
    yield* this.#bytes(NAR_TOKENS.close);
  }

  *#contents(path: string, size: number): Generator<Uint8Array, void> {
    yield* this.#length(size);
    if (size === 0) return;
    const fd = openSync(hostPath(path), "r");
    try {
      for (let left = size; left > 0; ) {
        if (this.#filled === BUFFER_BYTES) yield this.#take();
        const read = readSync(fd, this.#buffer, this.#filled, Math.min(left, BUFFER_BYTES - this.#filled), null);
        if (read === 0)
          throw new CodedError("files.changed", `Cannot read "${path}": it shrank by ${left} bytes while it was read`);
        this.#filled += read;
        left -= read;
      }
    } finally {
      closeSync(fd);
    }
    yield* this.#padding(size);
  }

  *#string(bytes: Uint8Array): Generator<Uint8Array, void> {
    yield* this.#length(bytes.length);
    yield* this.#bytes(bytes);
    yield* this.#padding(bytes.length);
  }

  *#length(length: number): Generator<Uint8Array, void> {
    if (this.#filled + 8 > BUFFER_BYTES) yield this.#take();
    this.#filled = this.#buffer.writeUInt32LE(length % 0x1_0000_0000, this.#filled);
    this.#filled = this.#buffer.writeUInt32LE(Math.floor(length / 0x1_0000_0000), this.#filled);
  }

  *#padding(length: number): Generator<Uint8Array, void> {
    const padding = narPadding(length);
    if (this.#filled + padding > BUFFER_BYTES) yield this.#take();
    this.#buffer.fill(0, this.#filled, this.#filled + padding);
    this.#filled += padding;
  }

  /** At most a name or target: always fits into an empty buffer. */
  *#bytes(bytes: Uint8Array): Generator<Uint8Array, void> {
    if (this.#filled + bytes.length > BUFFER_BYTES) yield this.#take();
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  #take(): Uint8Array {
    const piece = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    return piece;
  }
}
