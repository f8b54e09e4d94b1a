import { closeSync, constants, fstatSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { CollectorClient } from "./collector-client.ts";
import { lockFileSync } from "./file-lock.ts";
import { tellOwnCollection } from "./own-collections.ts";

/** How long we wait for a collector that neither ends nor answers. */
const COLLECTOR_PATIENCE_MS = 60_000;
const COLLECTOR_RETRY_MS = 20;

/** How long the collector's lock is kept for further roots before a collection may begin. */
const HOLD_MS = 300;

/**
 * The temporary roots of this process: paths a collection must not delete while we live, valid or about to be.
 *
 * Source: Nix, `LocalStore::addTempRoot`.
 */
export class TempRoots {
  readonly #stateDirectory: string;
  readonly #patienceMs: number;
  readonly #known = new Set<string>();
  #file: { readonly path: string; readonly fd: number } | undefined;
  readonly #client: CollectorClient;
  #collectorLock: number | undefined;

  constructor(stateDirectory: string, { patienceMs = COLLECTOR_PATIENCE_MS }: { readonly patienceMs?: number } = {}) {
    this.#stateDirectory = stateDirectory;
    this.#patienceMs = patienceMs;
    this.#client = new CollectorClient(join(stateDirectory, "gc-socket"));
  }

  /** @throws {CodedError} `store.collector-silent`, `store.no-flock` */
  add(paths: Iterable<string>): void {
    const fresh = this.#unknown(paths);
    if (fresh.length === 0) return;
    this.#file ??= this.#create();
    // Written before anybody is told: a collection that begins right after the one we told reads it here.
    writeSync(this.#file.fd, fresh.map((path) => `${path}\0`).join(""));
    if (this.#collectorLock === undefined && tellOwnCollection(this.#stateDirectory, fresh))
      return this.#remember(fresh);
    const told = this.#client.isOpen && this.#client.tell(fresh, this.#patienceMs);
    if (!told && !this.#holdCollectorLock()) this.#tellCollector(fresh);
    this.#remember(fresh);
  }

  /** Do now what takes two processes, and what the first root would wait for. Errors as {@link add}. */
  prepare(): void {
    this.#file ??= this.#create();
    this.#holdCollectorLock();
  }

  /** Most are asked for again and again: nothing is made for these. */
  #unknown(paths: Iterable<string>): string[] {
    let fresh: Set<string> | undefined;
    for (const path of paths) if (!this.#known.has(path)) (fresh ??= new Set()).add(path);
    return fresh === undefined ? [] : [...fresh];
  }

  #remember(paths: readonly string[]): void {
    for (const path of paths) this.#known.add(path);
  }

  /** Give up all roots. */
  close(): void {
    this.#releaseCollectorLock();
    this.#client.close();
    if (this.#file === undefined) return;
    rmSync(this.#file.path, { force: true });
    closeSync(this.#file.fd);
    this.#file = undefined;
    this.#known.clear();
  }

  #create(): { path: string; fd: number } {
    const path = join(this.#stateDirectory, "temproots", String(process.pid));
    for (;;) {
      // A leftover of an earlier process with our number is nobody's.
      rmSync(path, { force: true });
      const fd = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_APPEND, 0o600);
      lockFileSync(fd, "exclusive", { wait: true });
      // A collector that saw the file before it was locked has taken it away and marked it as stale.
      const { size, nlink } = fstatSync(fd);
      if (size === 0 && nlink > 0) return { path, fd };
      closeSync(fd);
    }
  }

  /**
   * While we hold the lock shared no collection begins, so writing the path down is enough. It is kept for a moment, because
   * roots come in bursts and taking it costs a process; never longer, so that a collector gets its turn.
   */
  #holdCollectorLock(): boolean {
    if (this.#collectorLock !== undefined) return true;
    const fd = openSync(join(this.#stateDirectory, "gc.lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
    if (!lockFileSync(fd, "shared", { wait: false })) {
      closeSync(fd);
      return false;
    }
    this.#collectorLock = fd;
    setTimeout(() => this.#releaseCollectorLock(), HOLD_MS).unref();
    return true;
  }

  #releaseCollectorLock(): void {
    if (this.#collectorLock !== undefined) closeSync(this.#collectorLock);
    this.#collectorLock = undefined;
  }

  /** A collection is running: it must know of the paths before we rely on them. */
  #tellCollector(paths: readonly string[]): void {
    const deadline = performance.now() + this.#patienceMs;
    do {
      if (this.#client.tell(paths, this.#patienceMs)) return;
      // It ended meanwhile, or has not opened its socket yet.
      if (this.#holdCollectorLock()) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COLLECTOR_RETRY_MS);
    } while (performance.now() < deadline);
    throw new CodedError(
      "store.collector-silent",
      `Cannot protect "${paths[0]}": a garbage collection is running in "${this.#stateDirectory}" and does not answer`,
      {
        hint: "Wait until it ends, then try again.",
      },
    );
  }
}

/** The roots file belongs to the process, however many stores it opens at one place. */
const shared = new Map<string, { readonly roots: TempRoots; users: number }>();

export function acquireTempRoots(stateDirectory: string): TempRoots {
  let entry = shared.get(stateDirectory);
  if (entry === undefined) {
    if (shared.size === 0) process.once("exit", closeAll);
    entry = { roots: new TempRoots(stateDirectory), users: 0 };
    shared.set(stateDirectory, entry);
  }
  entry.users += 1;
  return entry.roots;
}

/** The last user's release ends the roots. */
export function releaseTempRoots(roots: TempRoots): void {
  for (const [stateDirectory, entry] of shared) {
    if (entry.roots !== roots) continue;
    entry.users -= 1;
    if (entry.users > 0) return;
    roots.close();
    shared.delete(stateDirectory);
  }
  if (shared.size === 0) process.removeListener("exit", closeAll);
}

function closeAll(): void {
  for (const { roots } of shared.values()) roots.close();
}
