import { lockFileSync } from "./file-lock.ts";

/** A collection that this very process runs, or waits to begin. */
export interface OwnCollection {
  /** The open file `gc.lock`. */
  readonly lock: number;
  /** Keep a path, valid or about to be; when this returns it is safe, or altogether gone. */
  protect(path: string): void;
}

const collections = new Map<string, Set<OwnCollection>>();

/** Make a collection known to all stores that this process has open at one place. @returns what ends that. */
export function announceCollection(stateDirectory: string, collection: OwnCollection): () => void {
  const known = collections.get(stateDirectory) ?? new Set();
  collections.set(stateDirectory, known.add(collection));
  return () => void known.delete(collection);
}

/**
 * Tell the collection that runs in this process what it relies on: through the socket it could not answer, since we stand still
 * until it does.
 *
 * @returns Whether one runs; else there may be one in another process.
 */
export function tellOwnCollection(stateDirectory: string, paths: readonly string[]): boolean {
  for (const collection of collections.get(stateDirectory) ?? []) {
    // Of those that wait, none has the lock: only the one that runs is granted what it has.
    if (!lockFileSync(collection.lock, "exclusive", { wait: false })) continue;
    for (const path of paths) collection.protect(path);
    return true;
  }
  return false;
}
