import type { Stats } from "node:fs";
import { type Hash, type HashAlgorithm, makeHasher } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { ReferenceScanner, type StorePath } from "../../store/index.ts";
import { walkNar } from "./walk.ts";

/** How long a walk may hold the event loop before others get a turn. */
const TURN_MS = 10;

export interface ScanTreeOptions {
  /** Paths that may be mentioned. Default none. */
  readonly candidates?: Iterable<StorePath>;
  /** Give every file canonical metadata in the same pass. Default false. */
  readonly canonicalise?: boolean;
  /** Default all. */
  readonly filter?: TreeFilter | undefined;
  /** Default sha256. */
  readonly algorithm?: HashAlgorithm;
  readonly signal?: AbortSignal | undefined;
  /** Told of every entry before its contents are read. */
  readonly inspect?: ((path: string, stat: Stats) => void) | undefined;
}

export interface ScannedTree {
  readonly narHash: Hash;
  /** Bytes. */
  readonly narSize: number;
  /** Candidates whose digest occurs in the NAR, sorted. */
  readonly references: StorePath[];
}

class Scan {
  readonly #hasher: ReturnType<typeof makeHasher>;
  /** Absent when nothing may be mentioned: a scanner costs more than hashing a small object. */
  readonly #scanner: ReferenceScanner | undefined;
  #size = 0;

  constructor({ algorithm = "sha256", candidates = [] }: ScanTreeOptions) {
    this.#hasher = makeHasher(algorithm);
    const paths = [...candidates];
    this.#scanner = paths.length === 0 ? undefined : new ReferenceScanner(paths);
  }

  take(piece: Uint8Array): void {
    this.#hasher.update(piece);
    this.#scanner?.update(piece);
    this.#size += piece.length;
  }

  result(): ScannedTree {
    return { narHash: this.#hasher.digest(), narSize: this.#size, references: this.#scanner?.found() ?? [] };
  }
}

/**
 * Hash a tree, find what it refers to and make its metadata canonical, reading it once.
 *
 * Other work of the process gets a turn every few milliseconds. Errors as `walkNar`; `signal` aborts between pieces.
 */
export async function scanTree(path: string, options: ScanTreeOptions = {}): Promise<ScannedTree> {
  const scan = new Scan(options);
  let turn = performance.now();
  for (const piece of walkNar(path, options)) {
    scan.take(piece);
    if (performance.now() - turn < TURN_MS) continue;
    await new Promise(setImmediate);
    options.signal?.throwIfAborted();
    turn = performance.now();
  }
  return scan.result();
}

/** {@link scanTree} for callers that cannot wait. */
export function scanTreeSync(path: string, options: ScanTreeOptions = {}): ScannedTree {
  const scan = new Scan(options);
  for (const piece of walkNar(path, options)) scan.take(piece);
  return scan.result();
}

/** Hash of a tree's NAR. Errors as `walkNar`. */
export async function hashTree(
  path: string,
  options: Omit<ScanTreeOptions, "candidates" | "canonicalise"> = {},
): Promise<{ narHash: Hash; narSize: number }> {
  const { narHash, narSize } = await scanTree(path, options);
  return { narHash, narSize };
}

/** The NAR of a tree, in pieces that may be kept. Errors as `walkNar`. */
export async function* dumpTree(
  path: string,
  { filter }: { readonly filter?: TreeFilter } = {},
): AsyncGenerator<Uint8Array> {
  for (const piece of walkNar(path, { filter })) yield new Uint8Array(piece);
}
