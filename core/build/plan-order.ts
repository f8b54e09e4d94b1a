import { CodedError, compareText } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";

/** What ordering has to know about a job. */
export interface Ordered {
  readonly id: StorePath;
  readonly dependencies: Iterable<StorePath>;
}

/**
 * Dependencies first; among equals in byte order of their names, so that plans do not depend on how they were found.
 *
 * @throws {CodedError} `build.cycle` when jobs need each other (possible only in a damaged store, or with lies about references).
 */
export function orderJobs<T extends Ordered>(jobs: ReadonlyMap<StorePath, T>): T[] {
  const order: T[] = [];
  const state = new Map<StorePath, "open" | "done">();
  for (const start of [...jobs.values()].sort((a, b) => compareText(a.id, b.id))) {
    const stack: { job: T; rest: StorePath[] }[] = [];
    const enter = (job: T): void => {
      state.set(job.id, "open");
      stack.push({ job, rest: [...job.dependencies] });
    };
    if (!state.has(start.id)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) {
        state.set(top.job.id, "done");
        order.push(top.job);
        stack.pop();
      } else if (!state.has(next)) {
        enter(jobs.get(next) as T);
      } else if (state.get(next) === "open") {
        const from = stack.findIndex((frame) => frame.job.id === next);
        throw new CodedError("build.cycle", `Cannot plan the build of "${next}": it needs itself`, {
          details: stack.slice(from).map((frame) => frame.job.id),
        });
      }
    }
  }
  return order;
}

/** Length of the longest chain of dependents of each job. */
export function rankByDependents(order: readonly Ordered[]): Map<StorePath, number> {
  const ranks = new Map<StorePath, number>();
  for (const { id, dependencies } of [...order].reverse()) {
    const rank = ranks.get(id) ?? 0;
    ranks.set(id, rank);
    for (const dependency of dependencies) ranks.set(dependency, Math.max(ranks.get(dependency) ?? 0, rank + 1));
  }
  return ranks;
}
