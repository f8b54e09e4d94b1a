import { existsSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import {
  EMPTY_LOCK,
  type FetchedInput,
  formatReference,
  type InputFetcher,
  LOCK_FILE_NAME,
  type LockedSource,
  lockedStorePath,
  type LockFile,
  isLockNode,
  rootOf,
} from "../../flake/index.ts";
import { evaluate, FLAKE_FILE_NAME, type RunChildOptions } from "../evaluator/index.ts";
import { type FetchContext, type FetchedSource, fetchReference } from "./fetch-source.ts";
import type { PathBase } from "./input-path.ts";
import { readLock } from "./read-lock.ts";
import { folderOf } from "./resolve-lock.ts";

/** Evaluations at the same time; each has a heap of its own. */
const EVALUATIONS = 2;

/**
 * Fetches inputs into a store, and asks those that are flakes what they take in themselves. One reference is fetched once, however
 * many inputs have it.
 */
export function makeInputFetcher(
  lock: LockFile,
  flakeFolder: string,
  context: FetchContext,
  run: RunChildOptions,
): InputFetcher {
  const known = Object.values(lock.nodes).flatMap((node) => (isLockNode(node) ? [node.locked] : []));
  const fetched = new Map<string, Promise<FetchedSource>>();
  const inTurn = limitTo(EVALUATIONS);
  /** What a source that is in the store says of its inputs. */
  const describe = async (locked: LockedSource): Promise<FetchedInput> => {
    const storePath = lockedStorePath(locked);
    const directory = folderOf({ storePath, locked }, context);
    if (!existsSync(`${directory}/${FLAKE_FILE_NAME}`)) return { locked, ownLock: [] };
    const ownLock = readOwnLock(directory);
    const flake = {
      directory,
      sourceDirectory: context.store.realPath(storePath),
      lock: ownLock,
      resolved: { inputs: {}, nodes: new Map() },
      hostPath: (path: string) => context.store.realPath(path),
    };
    const question = { want: "inputs", candidates: [], attribute: "" } as const;
    const result = await inTurn(() => evaluate({ ...run, flake, question }));
    return {
      locked,
      declared: result.kind === "lock-needed" ? result.declared : {},
      ownLock: Object.keys(rootOf(ownLock).inputs ?? {}),
    };
  };
  return {
    async fetch(reference, parent, isFlake): Promise<FetchedInput> {
      const key = reference.kind === "path" ? undefined : formatReference(reference);
      const fetching =
        (key === undefined ? undefined : fetched.get(key)) ??
        fetchReference(reference, baseOf(parent, flakeFolder, context), known, context);
      if (key !== undefined) fetched.set(key, fetching);
      const { locked } = await fetching;
      return isFlake ? describe(locked) : { locked, ownLock: [] };
    },
    async inputNames(locked, asked) {
      const storePath = lockedStorePath(locked);
      if (!context.store.isValid(storePath)) return undefined;
      try {
        // Its lock is read at once, and its declaration by an evaluation.
        const pinned = Object.keys(rootOf(readOwnLock(folderOf({ storePath, locked }, context))).inputs ?? {});
        if (asked.every((name) => pinned.includes(name))) return pinned;
        return Object.keys((await describe(locked)).declared ?? {});
      } catch (error) {
        // One that cannot be read is told to whoever needs more of it than a warning.
        if (error instanceof CodedError) return undefined;
        throw error;
      }
    },
  };
}

function readOwnLock(directory: string): LockFile {
  return existsSync(`${directory}/${LOCK_FILE_NAME}`) ? readLock(directory) : EMPTY_LOCK;
}

/** Run things, so many at the same time. */
function limitTo(count: number): <T>(run: () => Promise<T>) => Promise<T> {
  const turns: Promise<unknown>[] = Array.from({ length: count }, () => Promise.resolve());
  let next = 0;
  return (run) => {
    const turn = next++ % count;
    const result = (turns[turn] as Promise<unknown>).then(run);
    turns[turn] = result.catch(() => {});
    return result;
  };
}

function baseOf(parent: LockedSource | undefined, flakeFolder: string, context: FetchContext): PathBase {
  if (parent === undefined) return { folder: flakeFolder, name: "the flake" };
  const storePath = lockedStorePath(parent);
  return {
    folder: folderOf({ storePath, locked: parent }, context),
    within: context.store.realPath(storePath),
    name: "an input",
  };
}
