import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";
import {
  DEFAULT_GC_SETTINGS,
  type DeletionPlan,
  type GcPlan,
  type GcSettings,
  LINKS_NAME,
  planDelete,
  planGc,
  readStoreEntry,
  STORE_DIRECTORY,
  type StorePath,
  storePathBaseName,
  storePathDigest,
  takeForBytes,
} from "../../store/index.ts";
import { sweepScratch } from "../files/index.ts";
import { makeDirectories } from "../local-store/layout.ts";
import { layoutOf, type LocalStore, openLocalStore, type StoreLayout } from "../local-store/index.ts";
import { announceCollection } from "../local-store/own-collections.ts";
import { dropReserve, restoreReserve } from "../local-store/reserve.ts";
import { openCollectorLock } from "./collector-lock.ts";
import { findPermanentRoots, type Root, sweepStaleRoots } from "./find-roots.ts";
import { openGcSocket } from "./gc-socket.ts";
import { freeBytes, measureGarbage } from "./measure.ts";
import { findRuntimeDigests, runtimeRoots } from "./runtime-roots.ts";
import { Sweeper } from "./sweeper.ts";
import { readTemporaryRoots, type TemporaryRoot } from "./temporary-roots.ts";
import { findUnregistered } from "./unregistered.ts";

const BATCH = 2000;
/** So many batches share one wait for the disk. */
const GROUP = 10;

/** What a collection tells while it runs. */
export type GcEvent =
  /** Another collection or a verification has the lock. */
  | { readonly kind: "waiting" }
  | { readonly kind: "planned"; readonly live: number; readonly dead: number }
  /** So many of the dead are gone. */
  | { readonly kind: "deleted"; readonly count: number; readonly total: number; readonly freedBytes: number }
  | { readonly kind: "links" };

export interface CollectOptions {
  /** As for `openLocalStore`. */
  readonly root?: string | StoreLayout | undefined;
  readonly settings?: GcSettings | undefined;
  /** Stop when so much is free. Default: delete all that is dead. */
  readonly maxFreedBytes?: number | undefined;
  /** Stop when so much is free on the store's disk, others' doing included. Default: go on. */
  readonly untilFreeBytes?: number | undefined;
  /** Links that do not count: what would be garbage without them. Absolute paths. */
  readonly without?: ReadonlySet<string> | undefined;
  /** Only look: nothing is changed, made or locked. Default false. */
  readonly dryRun?: boolean | undefined;
  readonly events?: ((event: GcEvent) => void) | undefined;
  /** Whether a dry run finds out what would become free, which takes a look at each file. Default true. */
  readonly measure?: boolean | undefined;
  /** Ends the collection between two steps. What is deleted stays deleted. */
  readonly signal?: AbortSignal | undefined;
  /** Where processes are listed. Default `/proc`. */
  readonly proc?: string | undefined;
  /** Objects that one transaction makes invalid; while it runs nobody who asks gets an answer. Default 2000, some 50 ms. */
  readonly batchSize?: number | undefined;
}

export interface GcReport {
  readonly roots: readonly Root[];
  readonly temporaryRoots: readonly TemporaryRoot[];
  /** What stays: valid objects, and what a running command is about to make. */
  readonly live: readonly string[];
  /** What was dead when the collection began, referrers first, then names of the store directory that belong to nobody. */
  readonly dead: readonly string[];
  /** Links below `gcroots/auto` that led nowhere. */
  readonly staleRoots: readonly string[];
  /** How many of the dead were deleted, or would be (with a limit: about as many). */
  readonly deleted: number;
  /** Space on disk that became free, or would. */
  readonly freedBytes: number;
}

/**
 * Delete what no root keeps.
 *
 * Others may build, add and ask meanwhile: what they rely on, now or from now on, stays. Killed at any instant it leaves a
 * consistent store, and the next collection deletes the rest.
 *
 * @throws {CodedError} `gc.unreadable-roots`, `gc.not-deleted`, and those of `openLocalStore`
 */
export function collectGarbage(options: CollectOptions = {}): Promise<GcReport> {
  return withCollection(options, async (collection) => {
    const { plan } = collection;
    const { batchSize = BATCH } = options;
    const unregistered = await findUnregistered(collection.layout.ownDirectory, plan);
    const report = collection.report([
      ...plan.deadPaths(),
      ...unregistered.map((name) => `${STORE_DIRECTORY}/${name}`),
    ]);
    if (options.dryRun === true) {
      const { wantedBytes } = collection;
      const count =
        wantedBytes > 0 ? takeForBytes(plan, { from: 0, wantedBytes, atMost: Number.POSITIVE_INFINITY }) : 0;
      const names = [
        ...plan.deadPaths().slice(0, count).map(storePathBaseName),
        ...(wantedBytes > 0 ? unregistered : []),
      ];
      return { ...report, deleted: names.length, freedBytes: collection.measure(names) };
    }
    await collection.removeUnregistered(unregistered);
    let at = 0;
    while (at < plan.order.length && collection.wantedBytes > 0) {
      const count = takeForBytes(plan, { from: at, wantedBytes: collection.wantedBytes, atMost: GROUP * batchSize });
      await collection.removeObjects(plan.order.subarray(at, at + count), (node) => plan.isLive(node));
      at += count;
      collection.tell(at);
    }
    const finished = await collection.finish();
    sweepScratch();
    return { ...report, live: collection.live(), ...finished };
  });
}

export interface DeletePathsOptions extends Omit<CollectOptions, "maxFreedBytes" | "untilFreeBytes"> {
  readonly paths: readonly StorePath[];
  /** Also what is garbage without them: dead objects they refer to. Default false. */
  readonly recursive?: boolean | undefined;
  /** Also what refers to them, however far away. Default false. */
  readonly alsoReferrers?: boolean | undefined;
  /** Pass over what must stay instead of refusing. Default false. */
  readonly skipAlive?: boolean | undefined;
  /** Delete what a link or a running program keeps; never what others refer to or a running command relies on. Default false. */
  readonly ignoreLiveness?: boolean | undefined;
}

/**
 * Delete certain objects, all or none of them.
 *
 * @throws {CodedError} `gc.alive`, `gc.referred`, `gc.unreadable-roots`, `gc.not-deleted`
 */
export function deletePaths(options: DeletePathsOptions): Promise<GcReport> {
  const { paths, recursive = false, alsoReferrers, skipAlive = false, ignoreLiveness = false } = options;
  return withCollection(options, async (collection) => {
    const { plan } = collection;
    checkNotShared(paths, collection);
    const chosen = planDelete({ plan, paths, recursive, alsoReferrers, skipAlive, ignoreLiveness });
    if (!skipAlive) checkDeletable(chosen, collection, ignoreLiveness);
    const dead = chosen.order.map((node) => plan.graph.paths[node] as StorePath);
    const report = collection.report(dead);
    if (options.dryRun === true) {
      return { ...report, deleted: dead.length, freedBytes: collection.measure(dead.map(storePathBaseName)) };
    }
    const mustStay = (node: number): boolean =>
      ignoreLiveness ? plan.isProtected(storePathDigest(plan.graph.paths[node] as StorePath)) : plan.isLive(node);
    await collection.removeObjects(chosen.order, mustStay);
    collection.tell(chosen.order.length);
    return { ...report, ...(await collection.finish()) };
  });
}

/** @throws {CodedError} `gc.shared` for what lies in a lower store */
function checkNotShared(paths: readonly StorePath[], { store, layout: { lower } }: Collection): void {
  const shared = paths.filter((path) => store.isShared(path));
  const [path] = shared;
  if (path === undefined || lower === undefined) return;
  throw new CodedError("gc.shared", `Cannot delete "${path}": it lies in the lower store "${lower.address}"`, {
    details: shared.length > 1 ? shared.map(String) : [],
    hint: "A lower store is never changed from above; delete it there, when no store lies upon that one.",
  });
}

function checkDeletable({ alive, referred }: DeletionPlan, { roots, plan }: Collection, ignored: boolean): void {
  const [path] = alive;
  if (path !== undefined) {
    const direct = roots.filter((root) => root.path === path).map(({ from }) => `root: ${from}`);
    throw new CodedError("gc.alive", `Cannot delete "${path}": it is in use`, {
      details: alive.length > 1 ? alive.map(String) : direct,
      hint: plan.isProtected(storePathDigest(path))
        ? "A running command relies on it; wait until it ends."
        : `\`floe store gc --print-roots\` shows what keeps store objects${ignored ? "" : "; --skip-alive passes over them"}.`,
    });
  }
  const [first] = referred;
  if (first === undefined) return;
  throw new CodedError("gc.referred", `Cannot delete "${first.path}": "${first.referrer}" refers to it`, {
    details: referred.slice(1).map((one) => `${one.path}: ${one.referrer} refers to it`),
    hint: "Delete that as well (--also-referrers), or pass over such objects with --skip-alive.",
  });
}

/** Everything between taking the lock and giving it back. */
class Collection {
  readonly layout: StoreLayout;
  readonly store: LocalStore;
  readonly plan: GcPlan;
  readonly roots: readonly Root[];
  readonly #temporaryRoots: readonly TemporaryRoot[];
  readonly #staleRoots: readonly string[];
  readonly #sweeper: Sweeper;
  readonly #options: CollectOptions;
  readonly #limitBytes: number;
  #dead: readonly string[] = [];
  #deleted = 0;
  /** Objects, by their names, that are not valid any more but may still be on disk, and when they are gone. */
  #going = new Set<string>();
  #gone: Promise<void> = Promise.resolve();

  constructor(options: CollectOptions, found: Pick<Collection, "layout" | "store" | "plan" | "roots"> & Found) {
    this.#options = options;
    this.layout = found.layout;
    this.store = found.store;
    this.plan = found.plan;
    this.roots = found.roots;
    this.#temporaryRoots = found.temporaryRoots;
    this.#staleRoots = found.staleRoots;
    this.#sweeper = found.sweeper;
    const { maxFreedBytes = Number.POSITIVE_INFINITY, untilFreeBytes } = options;
    const lacking =
      untilFreeBytes === undefined
        ? Number.POSITIVE_INFINITY
        : untilFreeBytes - freeBytes(this.layout.realStoreDirectory);
    this.#limitBytes = Math.min(maxFreedBytes, lacking);
  }

  /** How much is still to become free. */
  get wantedBytes(): number {
    return this.#limitBytes - this.#sweeper.freedBytes - this.#sweeper.linkedBytes;
  }

  report(dead: readonly string[]): GcReport {
    this.#dead = dead;
    const { roots } = this;
    const live = this.live();
    this.#options.events?.({ kind: "planned", live: live.length, dead: dead.length });
    return {
      roots,
      temporaryRoots: this.#temporaryRoots,
      live,
      dead,
      staleRoots: this.#staleRoots,
      deleted: 0,
      freedBytes: 0,
    };
  }

  live(): string[] {
    const { nodes } = this.plan.graph;
    const expected = new Set(this.#temporaryRoots.map(({ path }) => path).filter((path) => !nodes.has(path)));
    return [...this.plan.livePaths(), ...expected];
  }

  /** A process relies on a path from now on. */
  protect(path: string): Promise<void> | undefined {
    this.plan.protect(path);
    return this.#isGoing(path) ? this.#gone : undefined;
  }

  /** This process does, and stands still until it may. */
  protectNow(path: string): void {
    this.plan.protect(path);
    if (!this.#isGoing(path)) return;
    this.store.flush();
    const name = storePathBaseName(path as StorePath);
    this.#sweeper.removeNow(name);
    this.#going.delete(name);
  }

  #isGoing(path: string): boolean {
    return this.#going.has(path.slice(STORE_DIRECTORY.length + 1));
  }

  measure(names: readonly string[]): number {
    return this.#options.measure === false ? 0 : measureGarbage(this.layout.realStoreDirectory, names);
  }

  tell(count: number): void {
    const { freedBytes } = this.#sweeper;
    this.#options.events?.({ kind: "deleted", count, total: this.#dead.length, freedBytes });
  }

  /**
   * Delete objects. First their rows are gone, on disk, and then their names: after a power cut no row is without its files.
   * Who wants one of them in between waits until it is gone.
   */
  async removeObjects(nodes: ArrayLike<number>, mustStay: (node: number) => boolean): Promise<void> {
    const { signal, batchSize = BATCH } = this.#options;
    let end = (): void => {};
    this.#gone = new Promise((resolve) => (end = resolve));
    try {
      for (let at = 0; at < nodes.length; at += batchSize) {
        signal?.throwIfAborted();
        const some = Array.prototype.slice.call(nodes, at, at + batchSize).filter((node) => !mustStay(node));
        const paths = some.map((node) => this.plan.graph.paths[node] as StorePath);
        if (paths.length > 0)
          for (const path of this.store.invalidate(paths)) {
            this.#going.add(storePathBaseName(path));
            this.#deleted += 1;
          }
        // Whoever waits for an answer gets it between two batches.
        await nextTurn();
      }
      await this.store.flushLater();
      await this.#sweeper.removeAll(this.#going);
    } finally {
      this.#going.clear();
      end();
    }
    await this.#sweeper.emptyTrash(signal);
  }

  async removeUnregistered(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length && this.wantedBytes > 0; at += BATCH) {
      this.#options.signal?.throwIfAborted();
      const some = names.slice(at, at + BATCH);
      // Somebody may have begun to make one of them, or be done with it, since we looked.
      const valid = this.store.validAmong(some.map((name) => `${STORE_DIRECTORY}/${name}`));
      for (const name of some) {
        const { digest } = readStoreEntry(name);
        if (valid.has(`${STORE_DIRECTORY}/${name}`) || (digest !== undefined && this.plan.isProtected(digest)))
          continue;
        this.#sweeper.removeNow(name);
        this.#deleted += 1;
      }
      await this.#sweeper.emptyTrash(this.#options.signal);
    }
  }

  /** What is left to do after the objects are gone. */
  async finish(): Promise<Pick<GcReport, "deleted" | "freedBytes">> {
    this.#options.events?.({ kind: "links" });
    await this.#sweeper.removeUnusedLinks(this.#options.signal);
    const { failures, freedBytes } = this.#sweeper;
    if (failures.length > 0) {
      throw new CodedError("gc.not-deleted", `Cannot delete ${failures.length} files of the store; the rest is done`, {
        details: failures.slice(0, 20),
        hint: "Unmount what is mounted there, or take away the attribute “immutable”; then collect again.",
      });
    }
    return { deleted: this.#deleted, freedBytes };
  }
}

interface Found {
  readonly temporaryRoots: readonly TemporaryRoot[];
  readonly staleRoots: readonly string[];
  readonly sweeper: Sweeper;
}

async function withCollection(
  options: CollectOptions,
  run: (collection: Collection) => Promise<GcReport>,
): Promise<GcReport> {
  const layout = layoutOf(options.root);
  if (options.dryRun === true) {
    using store = openLocalStore({ root: layout, readOnly: true });
    return run(await open(options, layout, store, []));
  }
  makeDirectories(layout);
  const { signal, events } = options;
  const lock = openCollectorLock(layout.stateDirectory);
  let collection: Collection | undefined;
  const early: string[] = [];
  const unannounce = announceCollection(layout.stateDirectory, {
    lock: lock.fd,
    protect(path) {
      if (collection === undefined) early.push(path);
      else collection.protectNow(path);
    },
  });
  try {
    await lock.take({ signal, waiting: () => events?.({ kind: "waiting" }) });
    // Before the database is opened: on a full disk even that takes space.
    dropReserve(layout);
    const socket = await openGcSocket(layout.stateDirectory, (path) => {
      if (collection !== undefined) return collection.protect(path);
      early.push(path);
      return undefined;
    });
    try {
      using store = openLocalStore({ root: layout });
      collection = await open(options, layout, store, early);
      for (const path of early) collection.protectNow(path);
      return await run(collection);
    } finally {
      await socket.close();
    }
  } finally {
    restoreReserve(layout);
    unannounce();
    lock.release();
  }
}

/** Find the roots, and what they keep. */
async function open(
  options: CollectOptions,
  layout: StoreLayout,
  store: LocalStore,
  early: readonly string[],
): Promise<Collection> {
  const { settings = DEFAULT_GC_SETTINGS, dryRun = false, proc, signal } = options;
  const sweeper = new Sweeper(layout.realStoreDirectory, { links: join(layout.ownDirectory, LINKS_NAME) });
  if (!dryRun) await sweeper.emptyTrash(signal);
  // Temporary roots first: a process may make a link to its object and end while we look, and then either counts.
  const temporaryRoots = await readTemporaryRoots(layout.stateDirectory, { sweep: !dryRun });
  const permanent = findPermanentRoots(layout);
  if (!dryRun) sweepStaleRoots(permanent);
  const running = findRuntimeDigests(proc === undefined ? {} : { proc });
  const graph = store.readGcGraph();
  const roots = [...permanent.roots, ...runtimeRoots(graph, running)].filter(
    ({ path, from }) => graph.nodes.has(path) && options.without?.has(from) !== true,
  );
  const plan = planGc({
    graph,
    // Rows of what lies in a lower store stay as long as that.
    roots: [...roots.map(({ path }) => path), ...(layout.lower === undefined ? [] : sharedAmong(store, graph.paths))],
    temporaryRoots: [...temporaryRoots.map(({ path }) => path), ...early],
    settings,
  });
  return new Collection(options, {
    layout,
    store,
    plan,
    roots,
    temporaryRoots,
    staleRoots: permanent.stale,
    sweeper,
  });
}

function sharedAmong(store: LocalStore, paths: readonly string[]): StorePath[] {
  return (paths as readonly StorePath[]).filter((path) => store.isShared(path));
}
