import type { PathInfo } from "./path-info.ts";
import type { StorePath } from "./store-path.ts";

/** Where a fact about an object was found: the journal, the old database, or the object itself, whose path certifies it. */
export type RecoverySource = "journal" | "database" | "files";

export interface RecoverableObject {
  readonly info: PathInfo;
  readonly from: RecoverySource;
}

/** An object that was known and cannot be made valid again. */
export interface LostObject {
  readonly path: StorePath;
  /** Completes "it was lost because …". */
  readonly why: string;
}

export interface RecoveryPlan {
  /** What is made valid: closed under references. */
  readonly objects: readonly RecoverableObject[];
  readonly lost: readonly LostObject[];
}

/**
 * Which objects can be made valid: those that are whole and whose references can be.
 *
 * @param whole What was found on disk and fits a fact, at most one of each path.
 * @param broken What was found on disk and fits no fact.
 */
export function planRecovery(whole: Iterable<RecoverableObject>, broken: Iterable<LostObject>): RecoveryPlan {
  const objects = new Map<StorePath, RecoverableObject>();
  for (const object of whole) objects.set(object.info.path, object);
  const referrers = new Map<StorePath, StorePath[]>();
  for (const { info } of objects.values()) {
    for (const reference of info.references) {
      const known = referrers.get(reference);
      if (known === undefined) referrers.set(reference, [info.path]);
      else known.push(info.path);
    }
  }
  const lost = [...broken];
  const absent = [...referrers.keys()].filter((path) => !objects.has(path));
  for (let path = absent.pop(); path !== undefined; path = absent.pop()) {
    for (const referrer of referrers.get(path) ?? []) {
      if (!objects.delete(referrer)) continue;
      lost.push({ path: referrer, why: `it refers to ${path}, which is not there or not whole` });
      absent.push(referrer);
    }
  }
  return { objects: [...objects.values()], lost };
}
