import { sortedText } from "../base/index.ts";
import type { ReferencesOf } from "./closure.ts";
import type { StorePath } from "./store-path.ts";

export interface FindChainsOptions {
  readonly referencesOf: ReferencesOf;
  /** Every chain; the shortest alone by default (of several, the first in the order of paths). */
  readonly all?: boolean;
}

/**
 * How one object leads to another along references: for each object on the way, which references lead on.
 *
 * @returns `undefined` when it does not. An object leads to itself only when it refers to itself.
 */
export function findChains(
  start: StorePath,
  end: StorePath,
  { referencesOf, all = false }: FindChainsOptions,
): Map<StorePath, StorePath[]> | undefined {
  const { steps, before } = search(start, end, referencesOf);
  if (!before.has(end)) return undefined;
  return all ? allChains(end, before) : shortestChain(start, end, before, steps);
}

interface Found {
  /** How many steps each object is away from the start. */
  readonly steps: ReadonlyMap<StorePath, number>;
  /** For each object that was reached by a reference, the objects that hold it. */
  readonly before: ReadonlyMap<StorePath, readonly StorePath[]>;
}

/** Breadth first; what the end refers to does not matter, unless it is the start as well. */
function search(start: StorePath, end: StorePath, referencesOf: ReferencesOf): Found {
  const steps = new Map([[start, 0]]);
  const before = new Map<StorePath, StorePath[]>();
  for (const [path, distance] of steps) {
    if (path === end && path !== start) continue;
    for (const reference of sortedText(referencesOf(path)) as StorePath[]) {
      // A reference to itself leads nowhere but to itself.
      if (reference === path && path !== end) continue;
      const holders = before.get(reference);
      if (holders === undefined) before.set(reference, [path]);
      else holders.push(path);
      if (!steps.has(reference)) steps.set(reference, distance + 1);
    }
  }
  return { steps, before };
}

function shortestChain(
  start: StorePath,
  end: StorePath,
  before: Found["before"],
  steps: Found["steps"],
): Map<StorePath, StorePath[]> {
  const chain = new Map<StorePath, StorePath[]>();
  let path = end;
  do {
    const holders = before.get(path) as readonly StorePath[];
    const nearest = holders.reduce((a, b) => ((steps.get(b) as number) < (steps.get(a) as number) ? b : a));
    chain.set(nearest, [path]);
    path = nearest;
  } while (path !== start);
  return chain;
}

function allChains(end: StorePath, before: Found["before"]): Map<StorePath, StorePath[]> {
  const chains = new Map<StorePath, StorePath[]>();
  const leading = new Set([end]);
  for (const path of leading) {
    for (const holder of before.get(path) ?? []) {
      const next = chains.get(holder) ?? [];
      chains.set(holder, [...next, path]);
      leading.add(holder);
    }
  }
  return chains;
}
