import { CodedError, sortedText } from "../base/index.ts";
import type { StorePath } from "./store-path.ts";

/** The direct references of a store object. */
export type ReferencesOf = (path: StorePath) => readonly StorePath[];

/**
 * Everything reachable from the given objects, themselves included, references before referrers. Deterministic: starts and
 * references are visited in sorted order.
 *
 * @throws {CodedError} `store.reference-cycle` when two different objects refer to each other; a self-reference is fine.
 */
export function closureOf(paths: Iterable<StorePath>, referencesOf: ReferencesOf): StorePath[] {
  const order: StorePath[] = [];
  const state = new Map<StorePath, "open" | "done">();
  // An explicit stack: closures can be deeper than the call stack.
  const stack: { readonly path: StorePath; readonly references: readonly StorePath[]; next: number }[] = [];
  const enter = (path: StorePath): void => {
    state.set(path, "open");
    stack.push({ path, references: sortedText(referencesOf(path)) as StorePath[], next: 0 });
  };
  for (const start of sortedText(paths) as StorePath[]) {
    if (!state.has(start)) enter(start);
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const reference = frame.references[frame.next++];
      if (reference === undefined) {
        state.set(frame.path, "done");
        order.push(frame.path);
        stack.pop();
      } else if (reference !== frame.path) {
        const seen = state.get(reference);
        if (seen === "open") {
          throw new CodedError(
            "store.reference-cycle",
            `Cannot order the store objects: "${frame.path}" and "${reference}" refer to each other`,
          );
        }
        if (seen === undefined) enter(reference);
      }
    }
  }
  return order;
}
