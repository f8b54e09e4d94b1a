import { lstatSync, renameSync, rmSync } from "node:fs";
import { CodedError, equalHashes } from "../../base/index.ts";
import {
  checkNar,
  closureOf,
  type PathInfo,
  type StorePath,
  type StoreQueries,
  type StoreReader,
} from "../../store/index.ts";
import { buildPaths } from "../builder/index.ts";
import {
  canonicalise,
  copyTreeCanonical,
  hashTree,
  removeTree,
  restoreNar,
  syncTrees,
  temporaryName,
} from "../files/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { Findings, StoreFault } from "./verify.ts";

/** What {@link settle} has put right. */
export interface Settled {
  readonly forgotten: number;
  readonly hashed: number;
  readonly canonicalised: number;
}

/** Put right what takes no contents from elsewhere: rows of objects that are gone, missing hashes, modes and times. */
export function settle(store: LocalStore, findings: Findings): Settled {
  const { gone } = findings;
  // What lies in a lower store is put right there.
  const unhashed = findings.unhashed.filter(({ path }) => !store.isShared(path));
  const metadata = findings.metadata.filter(({ path }) => !store.isShared(path));
  const forgotten = gone.length === 0 ? [] : store.invalidate(gone);
  if (unhashed.length > 0) store.registerOutputs(unhashed);
  const canonical = metadata.map(({ path }) => store.realPath(path));
  for (const real of canonical) canonicalise(real);
  if (canonical.length > 0) syncTrees(canonical, store.realStoreDirectory);
  store.flush();
  return { forgotten: forgotten.length, hashed: unhashed.length, canonicalised: metadata.length };
}

export interface RepairOptions {
  /** Stores that may have whole copies, in the order in which they are asked. */
  readonly sources: readonly (StoreQueries & StoreReader)[];
  /** Whether to run the builder again when no source helps. Default true. */
  readonly rebuild?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told what is done to each object. */
  readonly onStep?: (words: string) => void;
}

/** What became of a fault. */
export interface RepairOutcome {
  readonly fault: StoreFault;
  readonly repaired: boolean;
  /** How it was repaired, or why it could not be. */
  readonly words: string;
}

/**
 * Repair damaged and missing objects with the very contents that were registered: from another store, else by building their deriver
 * again. What others refer to comes first. Faults of other kinds are given back as they are; links below `.links` that lie are removed.
 */
export async function repair(
  store: LocalStore,
  faults: readonly StoreFault[],
  options: RepairOptions,
): Promise<RepairOutcome[]> {
  const outcomes: RepairOutcome[] = [];
  const broken = new Map<string, StoreFault>();
  for (const fault of faults) {
    if (fault.kind === "link") {
      rmSync(fault.path, { force: true });
      outcomes.push({ fault, repaired: true, words: "removed; the next optimisation makes it anew" });
    } else if (["damaged", "missing", "unreadable"].includes(fault.kind) && !fault.path.includes("/.links/"))
      broken.set(fault.path, fault);
    else if (fault.kind !== "incomplete")
      outcomes.push({ fault, repaired: false, words: "nothing can be done about it" });
  }
  const paths = [...broken.keys()] as StorePath[];
  store.checkMutable();
  store.addTempRoots(paths);
  for (const path of referencesFirst(store, paths)) {
    options.signal?.throwIfAborted();
    const fault = broken.get(path) as StoreFault;
    const info = store.queryPathInfo(path);
    if (info === undefined) outcomes.push({ fault, repaired: true, words: "it is not valid any more" });
    else if (store.isShared(path))
      outcomes.push({ fault, repaired: false, words: "it lies in a lower store, which is repaired by itself" });
    else outcomes.push({ fault, ...(await new Repair(store, info, options).run()) });
  }
  const stillBroken = outcomes.some(({ repaired, fault }) => !repaired && fault.kind !== "untrusted");
  for (const fault of faults)
    if (fault.kind === "incomplete")
      outcomes.push({
        fault,
        repaired: !stillBroken,
        words: stillBroken ? "what it refers to is not whole" : "it is whole again",
      });
  return outcomes;
}

function referencesFirst(store: LocalStore, paths: readonly StorePath[]): StorePath[] {
  const wanted = new Set(paths);
  return closureOf(paths, (path) => store.queryPathInfo(path)?.references ?? []).filter((path) => wanted.has(path));
}

/** The repair of one object. */
class Repair {
  readonly #store: LocalStore;
  readonly #info: PathInfo;
  readonly #options: RepairOptions;
  readonly #real: string;
  readonly #failures: string[] = [];

  constructor(store: LocalStore, info: PathInfo, options: RepairOptions) {
    this.#store = store;
    this.#info = info;
    this.#options = options;
    this.#real = store.realPath(info.path);
  }

  async run(): Promise<{ repaired: boolean; words: string }> {
    for (const source of this.#options.sources) {
      if (await this.#fetchFrom(source)) return { repaired: true, words: "copied from another store" };
    }
    const { deriver } = this.#info;
    if (this.#options.rebuild !== false && deriver !== undefined && this.#store.isValid(deriver)) {
      if (await this.#rebuild(deriver)) return { repaired: true, words: "built again" };
    } else this.#failures.push("its derivation is not in the store");
    return { repaired: false, words: this.#failures.join("; ") };
  }

  async #fetchFrom(source: StoreQueries & StoreReader): Promise<boolean> {
    const { path } = this.#info;
    const temporary = temporaryName(this.#real);
    const locks = await this.#store.lockPaths([path]);
    try {
      const offered = await source.queryPathInfo(path);
      if (offered === undefined) return this.#failed("a store does not have it");
      if (!equalHashes(offered.narHash, this.#info.narHash)) return this.#failed("a store has other contents for it");
      this.#options.onStep?.(`copying ${path}`);
      checkNar(this.#info, await restoreNar(source.readNar(path), temporary));
      await this.#putInPlace(temporary);
      return true;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return this.#failed(error.message);
    } finally {
      removeTree(temporary);
      locks?.release();
    }
  }

  async #rebuild(deriver: StorePath): Promise<boolean> {
    const { path } = this.#info;
    let done = false;
    this.#options.onStep?.(`building ${path}`);
    const report = await buildPaths({
      store: this.#store,
      targets: [{ drvPath: deriver }],
      options: {
        rebuild: true,
        signal: this.#options.signal,
        onRebuilt: async (output, place) => {
          if (output.path !== path) return;
          const temporary = temporaryName(this.#real);
          try {
            checkNar(this.#info, await copyTreeCanonical(place, temporary));
            await this.#putInPlace(temporary);
            done = true;
          } finally {
            removeTree(temporary);
          }
        },
      },
    });
    for (const { error } of report.failures) this.#failures.push(error.message);
    return done;
  }

  #failed(why: string): false {
    this.#failures.push(why);
    return false;
  }

  /**
   * Exchange the damaged object with a whole one. A file is replaced in one step. A directory cannot be: between two renames its
   * name means nothing, for some microseconds, and after a power cut then it is missing, which is repaired in the same way.
   */
  async #putInPlace(fresh: string): Promise<void> {
    syncTrees([fresh], this.#store.realStoreDirectory);
    const stat = lstatSync(this.#real, { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true && !lstatSync(fresh).isDirectory()) renameSync(fresh, this.#real);
    else {
      const old = temporaryName(this.#real);
      if (stat !== undefined) renameSync(this.#real, old);
      renameSync(fresh, this.#real);
      removeTree(old);
    }
    syncTrees([], this.#store.realStoreDirectory);
    const { narHash } = await hashTree(this.#real);
    if (!equalHashes(narHash, this.#info.narHash))
      throw new CodedError("store.damaged", `Cannot repair "${this.#info.path}": what was written is damaged as well`, {
        hint: "Look at the health of the disk.",
      });
  }
}
