import type { Stats } from "node:fs";
import { type Hash, type HashAlgorithm, type Hasher, makeHasher } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { gitHasher, ReferenceScanner, type StorePath } from "../../store/index.ts";
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
  await takePieces(walkNar(path, options), (piece) => scan.take(piece), options.signal);
  return scan.result();
}

async function takePieces(
  pieces: Iterable<Uint8Array>,
  take: (piece: Uint8Array) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let turn = performance.now();
  for (const piece of pieces) {
    take(piece);
    if (performance.now() - turn < TURN_MS) continue;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    turn = performance.now();
  }
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

/** Let several take the NAR of a tree, which is read once. Errors as `walkNar`. */
export async function readTree(
  path: string,
  takers: readonly Pick<Hasher, "update">[],
  options: Pick<ScanTreeOptions, "filter" | "signal"> = {},
): Promise<void> {
  const take = (piece: Uint8Array): void => {
    for (const taker of takers) taker.update(piece);
  };
  await takePieces(walkNar(path, options), take, options.signal);
}

/** Hash of a tree as git names it. Errors as `walkNar`; `content-address.git-root`, `content-address.algorithm` */
export async function hashGit(
  path: string,
  algorithm: HashAlgorithm,
  options: Pick<ScanTreeOptions, "filter" | "signal"> = {},
): Promise<Hash> {
  const hasher = gitHasher(algorithm);
  await readTree(path, [hasher], options);
  return hasher.digest();
}

/** The NAR of a tree, in pieces that may be kept. Errors as `walkNar`. */
export async function* dumpTree(
  path: string,
  { filter }: { readonly filter?: TreeFilter } = {},
): AsyncGenerator<Uint8Array> {
  for (const piece of walkNar(path, { filter })) yield new Uint8Array(piece);
}
