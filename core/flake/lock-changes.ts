import { sortedText } from "../base/index.ts";
import { isLockNode, type LockedSource, type LockFile, rootOf } from "./lock-file.ts";
import { sameFollows } from "./overrides.ts";

/** One entry of the lock that came, went or moved. */
export interface LockChange {
  readonly kind: "added" | "removed" | "updated";
  /** Path of input names. */
  readonly input: readonly string[];
  readonly before?: LockedSource;
  readonly after?: LockedSource;
  /** For an input that is another one; empty for one that is left out. */
  readonly follows?: readonly string[];
}

type Targets = Readonly<Record<string, string | readonly string[]>>;

/** What differs between two locks, in the order of the names. */
export function findChanges(before: LockFile, after: LockFile): LockChange[] {
  const changes: LockChange[] = [];
  const walk = (old: Targets, now: Targets, path: readonly string[]): void => {
    for (const key of new Set(sortedText([...Object.keys(old), ...Object.keys(now)]))) {
      const input = [...path, ...key.split("/")];
      const [left, right] = [old[key], now[key]];
      const oldNode = typeof left === "string" ? before.nodes[left] : undefined;
      const newNode = typeof right === "string" ? after.nodes[right] : undefined;
      const was = isLockNode(oldNode) ? { before: oldNode.locked } : {};
      if (Array.isArray(right)) {
        if (!sameFollows(left, right))
          changes.push({ kind: left === undefined ? "added" : "updated", input, follows: right, ...was });
      } else if (isLockNode(newNode)) {
        if (!isLockNode(oldNode)) changes.push({ kind: "added", input, after: newNode.locked });
        else if (JSON.stringify(oldNode.locked) !== JSON.stringify(newNode.locked))
          changes.push({ kind: "updated", input, before: oldNode.locked, after: newNode.locked });
        const earlier = isLockNode(oldNode) ? { ...oldNode.inputs, ...oldNode.overrides } : {};
        walk(earlier, { ...newNode.inputs, ...newNode.overrides }, input);
      } else {
        changes.push({ kind: "removed", input, ...was });
      }
    }
  };
  walk(rootOf(before).inputs ?? {}, rootOf(after).inputs ?? {}, []);
  return changes;
}
