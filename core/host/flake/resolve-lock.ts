import { existsSync } from "node:fs";
import { CodedError, type SourceLocation } from "../../base/index.ts";
import {
  LOCK_FILE_NAME,
  type LocateInput,
  type LockFile,
  type ResolvedInput,
  type ResolvedInputs,
  resolveInputs,
} from "../../flake/index.ts";
import { type FetchContext, fetchLocked } from "./fetch-source.ts";
import type { PathBase } from "./input-path.ts";
import { readLock } from "./read-lock.ts";

type Unread = Omit<ResolvedInput, "inputs">;

/**
 * Follow a lock down to every source, fetching those that are not in the store. The locks of dependencies lie inside of them,
 * so this goes level by level; sources of one level are fetched at the same time.
 */
export async function resolveAndFetch(
  lock: LockFile,
  flakeFolder: string,
  context: FetchContext,
  locate?: LocateInput,
): Promise<ResolvedInputs> {
  const atHand = new Set<string>();
  for (;;) {
    const missing: Unread[] = [];
    const resolved = resolveInputs(
      lock,
      (input) => {
        if (!atHand.has(input.id)) {
          missing.push(input);
          return undefined;
        }
        const folder = folderOf(input, context);
        return existsSync(`${folder}/${LOCK_FILE_NAME}`) ? readLock(folder) : undefined;
      },
      locate,
    );
    // Plain sources have no lock to read, but must be there as well.
    for (const input of resolved.nodes.values()) if (!input.isFlake && !atHand.has(input.id)) missing.push(input);
    if (missing.length === 0) return resolved;
    const ready = missing.filter(
      (input) => input.locked.type !== "path" || input.parent === undefined || atHand.has(input.parent),
    );
    // One content under several names is fetched once.
    const different = new Map(ready.map((input) => [input.storePath, input]));
    await Promise.all(
      [...different.values()].map((input) =>
        fetchLocked(input.locked, input.id, baseOf(input, resolved, flakeFolder, context), context).catch(
          (error: unknown) => {
            throw error instanceof CodedError && error.at === undefined
              ? atInput(error, locate?.(input.id.split("/")))
              : error;
          },
        ),
      ),
    );
    for (const input of ready) atHand.add(input.id);
  }
}

/** The same error at the line that declares the input. */
function atInput(error: CodedError, at: SourceLocation | undefined): CodedError {
  const { code, message, hint, details, exitCode, cause } = error;
  return new CodedError(code, message, { at, hint, details, exitCode, cause });
}

/** Whether every source the lock itself names is in the store already. */
export function isAtHand(lock: LockFile, isValid: (path: string) => boolean): boolean {
  return [...resolveInputs(lock, () => undefined).nodes.values()].every((input) => isValid(input.storePath));
}

function baseOf(input: Unread, resolved: ResolvedInputs, flakeFolder: string, context: FetchContext): PathBase {
  const parent = input.parent === undefined ? undefined : resolved.nodes.get(input.parent);
  if (parent === undefined) return { folder: flakeFolder, name: "the flake" };
  return {
    folder: folderOf(parent, context),
    within: context.store.realPath(parent.storePath),
    name: `the input ${parent.id}`,
  };
}

/** Folder of a dependency's flake on the host. */
export function folderOf(
  { storePath, locked }: Pick<ResolvedInput, "storePath" | "locked">,
  { store }: Pick<FetchContext, "store">,
): string {
  const source = store.realPath(storePath);
  return locked.dir === undefined ? source : `${source}/${locked.dir}`;
}
