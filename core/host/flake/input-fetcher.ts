import { existsSync } from "node:fs";
import {
  EMPTY_LOCK,
  type FetchedInput,
  type InputFetcher,
  LOCK_FILE_NAME,
  type LockedSource,
  lockedStorePath,
  type LockFile,
  isLockNode,
  rootOf,
} from "../../flake/index.ts";
import { evaluate, FLAKE_FILE_NAME, type RunChildOptions } from "../evaluator/index.ts";
import { type FetchContext, fetchReference } from "./fetch-source.ts";
import type { PathBase } from "./input-path.ts";
import { readLock } from "./read-lock.ts";
import { folderOf } from "./resolve-lock.ts";

/** Fetches inputs into a store, and asks those that are flakes what they take in themselves. */
export function makeInputFetcher(
  lock: LockFile,
  flakeFolder: string,
  context: FetchContext,
  run: RunChildOptions,
): InputFetcher {
  const known = Object.values(lock.nodes).flatMap((node) => (isLockNode(node) ? [node.locked] : []));
  return {
    async fetch(reference, parent, isFlake): Promise<FetchedInput> {
      const { locked } = await fetchReference(reference, baseOf(parent, flakeFolder, context), known, context);
      if (!isFlake) return { locked, ownLock: [] };
      const storePath = lockedStorePath(locked);
      const directory = folderOf({ storePath, locked }, context);
      if (!existsSync(`${directory}/${FLAKE_FILE_NAME}`)) return { locked, ownLock: [] };
      const ownLock = existsSync(`${directory}/${LOCK_FILE_NAME}`) ? readLock(directory) : EMPTY_LOCK;
      const flake = {
        directory,
        sourceDirectory: context.store.realPath(storePath),
        lock: ownLock,
        resolved: { inputs: {}, nodes: new Map() },
        hostPath: (path: string) => context.store.realPath(path),
      };
      const result = await evaluate({ ...run, flake, question: { want: "inputs", candidates: [], attribute: "" } });
      return {
        locked,
        declared: result.kind === "lock-needed" ? result.declared : {},
        ownLock: Object.keys(rootOf(ownLock).inputs ?? {}),
      };
    },
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
