import { spawnSync } from "node:child_process";
import { closeSync, constants, fstatSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { lockFileSync } from "./file-lock.ts";

/** How long we wait for a collector that neither ends nor answers. */
const COLLECTOR_PATIENCE_MS = 60_000;
const COLLECTOR_RETRY_MS = 100;

/** How long the collector's lock is kept for further roots before a collection may begin. */
const HOLD_MS = 300;

/** Tells a running collector each path and waits until it has answered for all; status 3: start over. */
const TELL_COLLECTOR = `
const [socket, ...paths] = process.argv.slice(1);
const client = require("node:net").connect(socket, () => client.write(paths.map((p) => p + "\\n").join("")));
let left = paths.length;
client.on("data", (data) => { left -= data.length; if (left <= 0) process.exit(0); });
client.on("error", () => process.exit(3));
client.on("close", () => process.exit(3));
`;

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
  #collectorLock: number | undefined;

  constructor(stateDirectory: string, { patienceMs = COLLECTOR_PATIENCE_MS }: { readonly patienceMs?: number } = {}) {
    this.#stateDirectory = stateDirectory;
    this.#patienceMs = patienceMs;
  }

  /** @throws {CodedError} `store.collector-silent`, `store.no-flock` */
  add(paths: Iterable<string>): void {
    const fresh = [...new Set(paths)].filter((path) => !this.#known.has(path));
    if (fresh.length === 0) return;
    this.#file ??= this.#create();
    if (!this.#holdCollectorLock()) this.#tellCollector(fresh);
    writeSync(this.#file.fd, fresh.map((path) => `${path}\0`).join(""));
    for (const path of fresh) this.#known.add(path);
  }

  /** Give up all roots. */
  close(): void {
    this.#releaseCollectorLock();
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

  /** A collection is running: it must know of the paths before we rely on them. Rare, so a process of its own may wait for it. */
  #tellCollector(paths: readonly string[]): void {
    const socket = join(this.#stateDirectory, "gc-socket/socket");
    const deadline = performance.now() + this.#patienceMs;
    do {
      const { status } = spawnSync(process.execPath, ["-e", TELL_COLLECTOR, "--", socket, ...paths], {
        stdio: "ignore",
      });
      if (status === 0) return;
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
