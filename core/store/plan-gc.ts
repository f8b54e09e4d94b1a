import type { GcEdges, GcGraph } from "./gc-graph.ts";
import { isDerivationPath, type StorePath, storePathDigest, tryParseStorePath } from "./store-path.ts";

/** What a live object keeps besides everything it refers to. */
export interface GcSettings {
  /** The derivation it came from, with what that refers to: sources and derivations, no outputs. Nix: `keep-derivations`. */
  readonly keepDerivations: boolean;
  /** A live derivation keeps its outputs, so that nothing has to be built again to build on. Nix: `keep-outputs`. */
  readonly keepOutputs: boolean;
  /** A derivation that is itself a permanent root keeps what its builder needs: the outputs of the derivations it names. */
  readonly keepBuildInputs: boolean;
}

/** As Nix, but a derivation that somebody holds on to can be built again offline. */
export const DEFAULT_GC_SETTINGS: GcSettings = { keepDerivations: true, keepOutputs: false, keepBuildInputs: true };

export interface PlanGcOptions {
  readonly graph: GcGraph;
  /** Links of people and profiles, running programs. What is not valid is left out. */
  readonly roots: Iterable<string>;
  /** Paths that a running process wants to stay, valid or about to be. */
  readonly temporaryRoots: Iterable<string>;
  readonly settings?: GcSettings;
}

/** Dead, live or gone: what a collection thinks of each object. It may change while the collection runs: see {@link GcPlan.protect}. */
export class GcPlan {
  readonly graph: GcGraph;
  /** Dead objects as nodes, each before everything it refers to: any beginning of it may be deleted alone. */
  readonly order: Uint32Array;
  readonly #settings: GcSettings;
  readonly #live: Uint8Array;
  /** Digests that processes rely on, valid or not. */
  readonly #digests = new Set<string>();

  constructor({ graph, roots, temporaryRoots, settings = DEFAULT_GC_SETTINGS }: PlanGcOptions) {
    this.graph = graph;
    this.#settings = settings;
    this.#live = new Uint8Array(graph.paths.length);
    for (const root of roots) {
      const node = graph.nodes.get(root);
      if (node === undefined) continue;
      this.#mark(node);
      if (settings.keepBuildInputs && isDerivation(graph, node)) this.#keepBuildInputs(node);
    }
    for (const root of temporaryRoots) this.protect(root);
    this.order = referrersFirst(graph, this.#live);
  }

  isLive(node: number): boolean {
    return this.#live[node] === 1;
  }

  /** A path that a process relies on from now on, valid or about to be. What it keeps, if it is still there, stays as well. */
  protect(path: string): void {
    const parsed = tryParseStorePath(path);
    if (parsed === undefined) return;
    this.#digests.add(storePathDigest(parsed));
    const node = this.graph.nodes.get(parsed);
    if (node !== undefined) this.#mark(node);
  }

  /** Whether a process relies on this digest: what has it, also a lock or a half-made output, must stay. */
  isProtected(digest: string): boolean {
    return this.#digests.has(digest);
  }

  /** All live objects. */
  livePaths(): StorePath[] {
    return this.graph.paths.filter((_, node) => this.isLive(node));
  }

  /** All dead objects, referrers first. */
  deadPaths(): StorePath[] {
    return Array.from(this.order, (node) => this.graph.paths[node] as StorePath);
  }

  #mark(start: number): void {
    const live = this.#live;
    if (live[start] === 1) return;
    live[start] = 1;
    const stack = [start];
    const push = ({ starts, targets }: GcEdges, node: number): void => {
      const end = starts[node + 1] as number;
      for (let at = starts[node] as number; at < end; at++) {
        const target = targets[at] as number;
        if (live[target] === 1) continue;
        live[target] = 1;
        stack.push(target);
      }
    };
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      push(this.graph.references, node);
      if (this.#settings.keepDerivations) push(this.graph.derivers, node);
      if (this.#settings.keepOutputs) push(this.graph.outputs, node);
    }
  }

  #keepBuildInputs(drv: number): void {
    const { references, outputs } = this.graph;
    for (const input of targetsOf(references, drv)) {
      if (isDerivation(this.graph, input)) for (const output of targetsOf(outputs, input)) this.#mark(output);
    }
  }
}

/**
 * Decide what a collection may delete: everything that no root keeps.
 *
 * Roots keep what they refer to, and what {@link GcSettings} says, to a fixed point. Costs a walk over the graph; every
 * question about it is answered from memory.
 *
 * Source: Nix, `LocalStore::collectGarbage`.
 */
export function planGc(options: PlanGcOptions): GcPlan {
  return new GcPlan(options);
}

/**
 * How many of the next dead objects to delete when at least `wantedBytes` are to become free, judged by the sizes of
 * their archives; at least one, if there is any.
 */
export function takeForBytes(
  plan: GcPlan,
  { from, wantedBytes, atMost }: { readonly from: number; readonly wantedBytes: number; readonly atMost: number },
): number {
  let count = 0;
  let sizeBytes = 0;
  while (from + count < plan.order.length && count < atMost && (count === 0 || sizeBytes < wantedBytes)) {
    sizeBytes += plan.graph.narSizes[plan.order[from + count] as number] as number;
    count++;
  }
  return count;
}

export interface PlanDeleteOptions {
  readonly plan: GcPlan;
  /** What is to be deleted; must be valid. */
  readonly paths: readonly StorePath[];
  /** Delete also what becomes garbage without them: dead objects they refer to. */
  readonly recursive: boolean;
  /** Delete also what refers to them, however far away. What a root keeps among those is alive. Default false. */
  readonly alsoReferrers?: boolean | undefined;
  /** Leave out what is live, and what something else refers to, instead of reporting it. */
  readonly skipAlive: boolean;
  /** Treat permanent roots as if they were not there. Temporary ones and referrers count all the same. */
  readonly ignoreLiveness: boolean;
}

/** What a wish to delete certain objects comes to. */
export interface DeletionPlan {
  /** Nodes, referrers first. */
  readonly order: readonly number[];
  /** Objects that a root keeps. */
  readonly alive: readonly StorePath[];
  /** Objects that others refer to, which are not to be deleted, each with one of these. */
  readonly referred: readonly { readonly path: StorePath; readonly referrer: StorePath }[];
}

/**
 * Decide which of the objects that somebody names may be deleted. Nothing must be deleted unless `alive` and `referred`
 * are empty, which they are with `skipAlive`.
 *
 * Source: Nix, `nix-store --delete` and `nix store delete`.
 */
export function planDelete(options: PlanDeleteOptions): DeletionPlan {
  const { plan, paths, recursive, alsoReferrers = false, skipAlive, ignoreLiveness } = options;
  const { graph } = plan;
  const chosen = new Uint8Array(graph.paths.length);
  const alive: StorePath[] = [];
  for (const path of paths) {
    const node = graph.nodes.get(path);
    if (node === undefined) continue;
    if (plan.isProtected(storePathDigest(path)) || (plan.isLive(node) && !ignoreLiveness)) alive.push(path);
    else chosen[node] = 1;
  }
  for (const node of alsoReferrers ? referrersOf(graph, chosen) : []) {
    // Liveness is never ignored for what was not named.
    if (plan.isLive(node)) alive.push(graph.paths[node] as StorePath);
    else chosen[node] = 1;
  }
  const stack = recursive ? [...chosen.keys()].filter((node) => chosen[node] === 1) : [];
  // What named objects refer to goes along where it is dead anyway; liveness is never ignored for what was not named.
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const target of targetsOf(graph.references, node)) {
      if (chosen[target] === 1 || plan.isLive(target)) continue;
      chosen[target] = 1;
      stack.push(target);
    }
  }
  const named = new Set<string>(paths);
  const referred = dropReferred(graph, chosen).filter(({ path }) => named.has(path));
  const keep = chosen.map((one) => 1 - one);
  return {
    order: [...referrersFirst(graph, keep)],
    alive: skipAlive ? [] : alive,
    referred: skipAlive ? [] : referred,
  };
}

/** Take out of the choice, until nothing changes, what an object outside of it refers to. */
function dropReferred(graph: GcGraph, chosen: Uint8Array): { path: StorePath; referrer: StorePath }[] {
  const dropped: { path: StorePath; referrer: StorePath }[] = [];
  const outside = [...chosen.keys()].filter((node) => chosen[node] === 0);
  for (let node = outside.pop(); node !== undefined; node = outside.pop()) {
    for (const target of targetsOf(graph.references, node)) {
      if (chosen[target] === 0) continue;
      chosen[target] = 0;
      outside.push(target);
      dropped.push({ path: graph.paths[target] as StorePath, referrer: graph.paths[node] as StorePath });
    }
  }
  return dropped;
}

/** What refers to marked nodes, however far away, and is not marked itself. */
function referrersOf({ references, paths }: GcGraph, marked: Uint8Array): number[] {
  const referrers = new Map<number, number[]>();
  for (const node of paths.keys()) {
    for (const target of targetsOf(references, node)) {
      const known = referrers.get(target);
      if (known === undefined) referrers.set(target, [node]);
      else known.push(node);
    }
  }
  const found = new Set<number>();
  const stack = [...marked.keys()].filter((node) => marked[node] === 1);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const referrer of referrers.get(node) ?? []) {
      if (marked[referrer] === 1 || found.has(referrer)) continue;
      found.add(referrer);
      stack.push(referrer);
    }
  }
  return [...found];
}

function isDerivation(graph: GcGraph, node: number): boolean {
  return isDerivationPath(graph.paths[node] as StorePath);
}

function targetsOf({ starts, targets }: GcEdges, node: number): Uint32Array {
  return targets.subarray(starts[node], starts[node + 1]);
}

/**
 * The nodes that are not marked, each before everything it refers to. Objects of a damaged store that refer to each other
 * in a circle come last.
 */
function referrersFirst({ references, paths }: GcGraph, marked: Uint8Array): Uint32Array {
  const referrers = new Uint32Array(paths.length);
  let count = 0;
  const eachReference = (node: number, visit: (target: number) => void): void => {
    const end = references.starts[node + 1] as number;
    for (let at = references.starts[node] as number; at < end; at++) {
      const target = references.targets[at] as number;
      if (target !== node && marked[target] === 0) visit(target);
    }
  };
  for (let node = 0; node < paths.length; node++) {
    if (marked[node] === 1) continue;
    count++;
    eachReference(node, (target) => {
      referrers[target] = (referrers[target] as number) + 1;
    });
  }
  const order = new Uint32Array(count);
  let filled = 0;
  for (let node = 0; node < paths.length; node++) {
    if (marked[node] === 0 && referrers[node] === 0) order[filled++] = node;
  }
  for (let at = 0; at < filled; at++) {
    eachReference(order[at] as number, (target) => {
      const left = (referrers[target] as number) - 1;
      referrers[target] = left;
      if (left === 0) order[filled++] = target;
    });
  }
  if (filled === count) return order;
  for (let node = 0; node < paths.length; node++) {
    if (marked[node] === 0 && (referrers[node] as number) > 0) order[filled++] = node;
  }
  return order;
}
