import { availableParallelism } from "node:os";
import { CodedError } from "../../base/index.ts";
import {
  type ArrivingObject,
  checkTrusted,
  factsToTell,
  groupForRegistration,
  type NarInfo,
  notValid,
  type PathInfo,
  planCopy,
  type PublicKey,
  type StorePath,
} from "../../store/index.ts";
import { BinaryCacheStore, forEachParallel } from "../binary-cache/index.ts";
import { LocalStore } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { DaemonStore } from "../remote-store/index.ts";
import type { AnyStore } from "./any-store.ts";

export interface CopyProgress {
  readonly path: StorePath;
  /** Archives that were copied, this one included. */
  readonly done: number;
  readonly total: number;
}

export interface CopyPathsOptions {
  readonly from: AnyStore;
  readonly to: AnyStore;
  readonly paths: Iterable<StorePath>;
  /** Everything they refer to as well. Default true. */
  readonly recursive?: boolean | undefined;
  /** Keys whose signatures count where a store of this machine takes objects in; `all` when every object does. */
  readonly trusted: readonly PublicKey[] | "all";
  /** The plan, before anything is copied. */
  readonly planned?: ((objects: number, bytes: number) => void) | undefined;
  readonly progress?: ((progress: CopyProgress) => void) | undefined;
  /** Bytes of archives that went by since the last call. */
  readonly moved?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Questions under way at once. */
const QUESTIONS = 25;
/** Archives that come in at once: enough to hide the way to a distant cache. */
const INCOMING = 16;
/** What becomes valid in a local store at once; an interrupted copy goes on after the last of these. */
const GROUP = { objects: 2000, bytes: 1024 ** 3 };

/**
 * Copy objects from one store to another; what is there already stays. Archives move in parallel, the largest first, and an
 * object becomes valid only after all it refers to, so both stores are whole at any moment.
 *
 * @returns What was copied, references first.
 * @throws {CodedError} `signature.untrusted` before anything is copied; those of both stores
 */
export async function copyPaths(options: CopyPathsOptions): Promise<StorePath[]> {
  const { from, to, recursive = true, signal } = options;
  const paths = recursive ? await from.closure(options.paths) : [...new Set(options.paths)];
  if (from instanceof LocalStore && !from.readOnly) from.addTempRoots(paths);
  const there = new Set<StorePath>();
  const wanted: PathInfo[] = [];
  await forEachParallel(paths, QUESTIONS, async (path) => {
    signal?.throwIfAborted();
    if (await to.isValid(path)) return void there.add(path);
    const info = await from.queryPathInfo(path);
    if (info === undefined) throw notValid(path);
    wanted.push(info);
  });
  const plan = planCopy(wanted, (path) => there.has(path));
  if (to instanceof LocalStore) checkAllTrusted(plan.metadata, options);
  options.planned?.(plan.archives.length, plan.totalBytes);
  let done = 0;
  const copy: Copy = {
    read: (info) => counted(readArchive(from, info, to), options),
    ended: ({ path }) => options.progress?.({ path, done: ++done, total: plan.archives.length }),
  };
  if (to instanceof LocalStore) await copyToLocal(to, plan.metadata, copy);
  else if (to instanceof BinaryCacheStore) await copyToCache(to, plan.archives, copy);
  else if (isStreamed(to)) await copyToDaemon(to, plan.metadata, copy);
  else
    await inOrderOfReferences(plan.metadata, 1, (info) => to.importNar(factsToTell(info), copy.read(info)), copy.ended);
  return plan.metadata.map(({ path }) => path);
}

interface Copy {
  readonly read: (info: PathInfo) => AsyncIterable<Uint8Array>;
  readonly ended: (info: PathInfo) => void;
}

function checkAllTrusted(infos: readonly PathInfo[], { from, trusted }: CopyPathsOptions): void {
  if (trusted === "all" || (from instanceof BinaryCacheStore && from.trusted)) return;
  const refused: CodedError[] = [];
  for (const info of infos) {
    try {
      checkTrusted(info, trusted, ed25519);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      refused.push(error);
    }
  }
  const [first] = refused;
  if (first === undefined) return;
  if (refused.length === 1) throw first;
  throw new CodedError(first.code, `${first.message} (and ${refused.length - 1} more)`, {
    hint: first.hint,
    details: refused.slice(0, 10).map(({ message }) => message),
  });
}

/** Groups that refer only to themselves and earlier ones become valid one after the other; inside, everything is parallel. */
async function copyToLocal(to: LocalStore, metadata: readonly PathInfo[], { read, ended }: Copy): Promise<void> {
  to.addTempRoots(metadata.map(({ path }) => path));
  for (const group of groupForRegistration(metadata, GROUP)) {
    const infos = new Map(group.map((info) => [info.path, info]));
    await to.importMany({
      infos: group.map(factsToTell),
      open: ({ path }) => read(infos.get(path) as PathInfo),
      atOnce: INCOMING,
      unpacked: ended,
    });
  }
}

/** A store that takes many objects in one stream. It is told by what it can do, so that opening other stores does not load it. */
function isStreamed(to: AnyStore): to is AnyStore & Pick<DaemonStore, "addMany"> {
  return "addMany" in to;
}

async function copyToDaemon(
  to: Pick<DaemonStore, "addMany">,
  metadata: readonly PathInfo[],
  { read, ended }: Copy,
): Promise<void> {
  async function* objects(): AsyncGenerator<ArrivingObject> {
    for (const info of metadata) {
      yield { info: factsToTell(info), nar: read(info) };
      ended(info);
    }
  }
  await to.addMany(metadata.length, objects());
}

async function copyToCache(to: BinaryCacheStore, archives: readonly PathInfo[], { read, ended }: Copy): Promise<void> {
  // Compression keeps the processors busy; a few more fill the time in which others wait.
  const limit = availableParallelism() + 2;
  await inOrderOfReferences<NarInfo>(
    archives,
    limit,
    (info) => to.putArchive(factsToTell(info), read(info)),
    async (info, put) => {
      await to.publish(put);
      ended(info);
    },
  );
}

/**
 * Do a first step for each object, several at once and in the given order, and the second one when it has ended for the object and
 * both have for all it refers to. A failure stops further first steps, but not second ones that are due.
 */
async function inOrderOfReferences<T>(
  infos: readonly PathInfo[],
  limit: number,
  first: (info: PathInfo) => Promise<T>,
  second: (info: PathInfo, result: T) => void | Promise<void>,
): Promise<void> {
  const settled = new Map(infos.map(({ path }) => [path, makeSettlement()]));
  const seconds: Promise<void>[] = [];
  let failure: { readonly error: unknown } | undefined;
  const finish = async (info: PathInfo, result: T): Promise<void> => {
    const references = info.references.filter((path) => path !== info.path);
    const ready = await Promise.all(references.map((path) => settled.get(path)?.promise ?? true));
    try {
      const isDue = ready.every((isDone) => isDone);
      if (isDue) await second(info, result);
      settled.get(info.path)?.resolve(isDue);
    } catch (error) {
      failure ??= { error };
      settled.get(info.path)?.resolve(false);
    }
  };
  try {
    await forEachParallel(infos, limit, async (info) => {
      if (failure !== undefined) throw failure.error;
      seconds.push(finish(info, await first(info)));
    });
  } catch (error) {
    failure ??= { error };
    for (const { resolve } of settled.values()) resolve(false);
  }
  await Promise.all(seconds);
  if (failure !== undefined) throw failure.error;
}

/** Whether an object became valid, once that is known. */
function makeSettlement(): { readonly promise: Promise<boolean>; readonly resolve: (isValid: boolean) => void } {
  let resolve: (isValid: boolean) => void = () => {};
  const promise = new Promise<boolean>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** The archive; whoever takes it in compares its hash. A local store is done with a piece when it asks for the next. */
function readArchive(from: AnyStore, info: PathInfo, to: AnyStore): AsyncIterable<Uint8Array> {
  if (!(from instanceof BinaryCacheStore)) return from.readNar(info.path);
  return from.readArchive(info as NarInfo, { reuse: to instanceof LocalStore });
}

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  { moved, signal }: CopyPathsOptions,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    moved?.(piece.length);
    yield piece;
  }
}
