import {
  chmodSync,
  closeSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
  futimesSync,
  fchmodSync,
} from "node:fs";
import { type Hash, type HashAlgorithm, makeHasher, utf8 } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { NarParser, type NarSink } from "../../store/index.ts";
import { CANONICAL_MTIME_SECONDS } from "./canonicalise.ts";
import { hostPath } from "./host-path.ts";
import { walkNar } from "./walk.ts";

const TURN_MS = 10;

/**
 * Writes an archive as files with canonical metadata. Files are created exclusively and directories made anew, so an entry
 * can never land outside `root`, whatever links the archive holds.
 */
export class TreeWriter implements NarSink {
  readonly #root: string;
  #fd: number | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  directory(path: string): void {
    mkdirSync(this.#place(path), 0o755);
  }

  endDirectory(path: string): void {
    const place = this.#place(path);
    chmodSync(place, 0o555);
    utimesSync(place, CANONICAL_MTIME_SECONDS, CANONICAL_MTIME_SECONDS);
  }

  file(path: string, { executable }: { readonly executable: boolean }): void {
    this.#fd = openSync(this.#place(path), "wx", 0o600);
    fchmodSync(this.#fd, executable ? 0o555 : 0o444);
  }

  data(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#fd as number, chunk, at);
  }

  endFile(): void {
    futimesSync(this.#fd as number, CANONICAL_MTIME_SECONDS, CANONICAL_MTIME_SECONDS);
    this.close();
  }

  symlink(path: string, target: string): void {
    const place = this.#place(path);
    symlinkSync(Buffer.from(utf8(target)), place);
    lutimesSync(place, CANONICAL_MTIME_SECONDS, CANONICAL_MTIME_SECONDS);
  }

  /** Give up an open file after a failure. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #place(path: string): string | Buffer {
    return hostPath(path === "" ? this.#root : `${this.#root}/${path}`);
  }
}

export interface RestoredTree {
  readonly narHash: Hash;
  /** Bytes. */
  readonly narSize: number;
}

async function restore(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  to: string,
  algorithm: HashAlgorithm,
): Promise<RestoredTree> {
  const writer = new TreeWriter(to);
  const parser = new NarParser(writer);
  const hasher = makeHasher(algorithm);
  let narSize = 0;
  let turn = performance.now();
  try {
    for await (const piece of pieces) {
      const used = parser.push(piece);
      hasher.update(used === piece.length ? piece : piece.subarray(0, used));
      narSize += used;
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise(setImmediate);
      turn = performance.now();
    }
    parser.finish();
  } finally {
    writer.close();
  }
  return { narHash: hasher.digest(), narSize };
}

/**
 * Unpack an archive to a place where nothing is yet, with canonical metadata, hashing it on the way.
 *
 * What was written stays when it fails; the caller removes it.
 *
 * @throws {CodedError} `nar.malformed`
 */
export function restoreNar(pieces: AsyncIterable<Uint8Array>, to: string): Promise<RestoredTree> {
  return restore(pieces, to, "sha256");
}

export interface CopyTreeOptions {
  readonly filter?: TreeFilter | undefined;
  /** Of the NAR hash in the result. Default sha256. */
  readonly algorithm?: HashAlgorithm;
}

/** Copy a tree to a place where nothing is yet, with canonical metadata, hashing it on the way. Errors as `walkNar`. */
export function copyTreeCanonical(
  from: string,
  to: string,
  { filter, algorithm = "sha256" }: CopyTreeOptions = {},
): Promise<RestoredTree> {
  return restore(walkNar(from, { filter }), to, algorithm);
}
