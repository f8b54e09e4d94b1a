import { type Hash, type Hasher, makeHasher } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import { NarParser } from "../../store/index.ts";
import { TreeWriter } from "./tree-writer.ts";
import { type ReadingSink, walkNar } from "./walk.ts";

/** How long work may hold the event loop before others get a turn. */
const TURN_MS = 10;

export interface RestoredTree {
  readonly narHash: Hash;
  /** Bytes. */
  readonly narSize: number;
}

/** A tree that was given to be written. */
export interface UnfinishedTree extends RestoredTree {
  /** Wait until it is complete; to be called once. @throws what writing threw */
  finish(): Promise<void>;
}

/**
 * Begin to unpack an archive to a place where nothing is yet, with canonical metadata, hashing it on the way. The archive is
 * read to its end; the last files may still be on their way afterwards.
 *
 * What was written stays when it fails; the caller removes it.
 *
 * @throws {CodedError} `nar.malformed`
 */
export async function beginRestoreNar(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  to: string,
): Promise<UnfinishedTree> {
  const writer = new TreeWriter(to);
  const hasher = makeHasher("sha256");
  let narSize = 0;
  let turn = performance.now();
  try {
    const parser = new NarParser(writer);
    for await (const piece of pieces) {
      const used = parser.push(piece);
      hasher.update(used === piece.length ? piece : piece.subarray(0, used));
      narSize += used;
      await writer.busy();
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise(setImmediate);
      turn = performance.now();
    }
    parser.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { narHash: hasher.digest(), narSize, finish: () => writer.finish() };
}

/** {@link beginRestoreNar}, to its end. */
export async function restoreNar(pieces: AsyncIterable<Uint8Array>, to: string): Promise<RestoredTree> {
  const { finish, ...restored } = await beginRestoreNar(pieces, to);
  await finish();
  return restored;
}

export interface CopyTreeOptions {
  readonly filter?: TreeFilter | undefined;
  /** Whether execute bits are kept. Default true. */
  readonly executables?: boolean;
  /** Hashers for the NAR besides sha256. */
  readonly narHashers?: readonly Hasher[];
  /** Hashers for the contents of files alone, one behind the other. */
  readonly contentHashers?: readonly Hasher[];
  readonly signal?: AbortSignal | undefined;
}

/** Copy a tree to a place where nothing is yet, with canonical metadata, hashing it on the way. Errors as `walkNar`. */
export async function copyTreeCanonical(
  from: string,
  to: string,
  { filter, executables, narHashers = [], contentHashers = [], signal }: CopyTreeOptions = {},
): Promise<RestoredTree> {
  const writer = new TreeWriter(to);
  const hasher = makeHasher("sha256");
  const sink = contentHashers.length === 0 ? writer : hashingContents(writer, contentHashers);
  let narSize = 0;
  let turn = performance.now();
  try {
    for (const piece of walkNar(from, { filter, executables, sink })) {
      for (const each of [hasher, ...narHashers]) each.update(piece);
      narSize += piece.length;
      const busy = writer.busy();
      if (busy === undefined && performance.now() - turn < TURN_MS) continue;
      await (busy ?? new Promise(setImmediate));
      signal?.throwIfAborted();
      turn = performance.now();
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { narHash: hasher.digest(), narSize };
}

function hashingContents(writer: TreeWriter, hashers: readonly Hasher[]): ReadingSink {
  return {
    directory: (path) => writer.directory(path),
    endDirectory: (path) => writer.endDirectory(path),
    symlink: (path, target) => writer.symlink(path, target),
    file: (path, file) => writer.file(path, file),
    data(chunk) {
      for (const hasher of hashers) hasher.update(chunk);
      writer.data(chunk);
    },
    room: (longestBytes) => writer.room(longestBytes),
    endFile: () => writer.endFile(),
  };
}
