import { chmodSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, type Stats, unlinkSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { LINKS_NAME, TRASH_NAME } from "../../store/index.ts";
import { hostPath, readNames } from "../files/index.ts";
import { unlessUnreadable } from "./unreadable.ts";

/** After so long the process looks at what else there is to do: whoever waits for an answer gets it. */
const TURN_MS = 5;
/** The kernel takes its time for a large file, so such a one goes the way of directories. */
const LARGE_BYTES = 4 * 1024 * 1024;

/** Directories within directories that are deleted where they are; deeper ones, whose path may be too long, are moved first. */
const MAX_DEPTH = 32;
const STUCK = new Set(["EBUSY", "EPERM", "EACCES", "EROFS", "ENOTEMPTY"]);

/** Space on disk that a file takes. */
export function diskBytes({ blocks }: Stats): number {
  return blocks * 512;
}

/** Deletes what is garbage, and counts what that gives. */
export class Sweeper {
  /** Space that is free again. A file with several names counts when the last one goes. */
  freedBytes = 0;
  /** Space of files whose only other name is that in `.links`, which goes at the end of the collection. */
  linkedBytes = 0;
  /** What could not be deleted, and why. */
  readonly failures: string[] = [];
  readonly #storeDirectory: string;
  readonly #trash: string;
  readonly #isRoot = process.geteuid?.() === 0;
  #moved = 0;
  /** Files and directories that are gone: without any there is no use in trying again. */
  #steps = 0;

  /** @param storeDirectory Its place on disk. */
  constructor(storeDirectory: string) {
    this.#storeDirectory = storeDirectory;
    this.#trash = join(storeDirectory, TRASH_NAME);
  }

  /**
   * Take an entry out of the store directory, at once: what is not deleted quickly is put aside for {@link emptyTrash}, so that
   * whoever wants to make the path again need not wait.
   */
  remove(name: string): void {
    const path = `${this.#storeDirectory}/${name}`;
    const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
    if (stat === undefined) return;
    try {
      if (stat.isDirectory() || stat.size >= LARGE_BYTES) this.#putAside(path, stat);
      else this.#unlink(path, stat);
    } catch (error) {
      this.#failed(path, error);
    }
  }

  /** Delete what was put aside, now or by a collection that did not come to its end. */
  async emptyTrash(signal?: AbortSignal): Promise<void> {
    // Deep trees are put aside again in pieces.
    for (let before = -1; before !== this.#steps && this.#hasTrash(); ) {
      before = this.#steps;
      await inTurns(this.#deleteEntries(this.#trash, 0), signal);
    }
    unlessUnreadable(() => rmdirSync(this.#trash));
  }

  /** Delete the names in `.links` that are the last of their files. */
  async removeUnusedLinks(signal?: AbortSignal): Promise<number> {
    const folder = join(this.#storeDirectory, LINKS_NAME);
    if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return 0;
    const before = this.freedBytes;
    await inTurns(this.#unusedLinks(folder), signal);
    return this.freedBytes - before;
  }

  *#unusedLinks(folder: string): Generator<void> {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.nlink === 1) this.#unlink(path, stat);
      yield;
    }
  }

  #hasTrash(): boolean {
    return unlessUnreadable(() => readNames(this.#trash).length > 0) ?? false;
  }

  #putAside(path: string, stat: Stats): void {
    mkdirSync(this.#trash, { recursive: true, mode: 0o700 });
    this.#makeWritable(path, stat);
    renameSync(hostPath(path), this.#newTrash());
  }

  #newTrash(): string {
    this.#moved += 1;
    return join(this.#trash, String(this.#moved));
  }

  *#deleteEntries(directory: string, depth: number): Generator<void> {
    for (const name of readNames(directory)) {
      const path = `${directory}/${name}`;
      const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
      if (stat === undefined) continue;
      try {
        if (!stat.isDirectory()) this.#unlink(path, stat);
        else if (depth === MAX_DEPTH) this.#putAside(path, stat);
        else {
          this.#makeWritable(path, stat);
          yield* this.#deleteEntries(path, depth + 1);
          rmdirSync(hostPath(path));
          this.#steps += 1;
          this.freedBytes += diskBytes(stat);
        }
      } catch (error) {
        this.#failed(path, error);
      }
      yield;
    }
  }

  #unlink(path: string, stat: Stats): void {
    unlinkSync(hostPath(path));
    this.#steps += 1;
    if (stat.nlink === 1) this.freedBytes += diskBytes(stat);
    else if (stat.nlink === 2) this.linkedBytes += diskBytes(stat);
  }

  /** Directories without write permission keep their entries, and their place, from everyone but root. */
  #makeWritable(path: string, stat: Stats): void {
    if (!this.#isRoot && stat.isDirectory() && (stat.mode & 0o700) !== 0o700) chmodSync(hostPath(path), 0o700);
  }

  /** One thing that cannot be deleted, a mount or an immutable file, must not keep the rest. */
  #failed(path: string, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!STUCK.has(code ?? "")) throw error;
    if (code !== "ENOTEMPTY") this.failures.push(`${path}: ${message}`);
  }
}

/** Do work step by step, and let others have their turn in between. */
async function inTurns(steps: Generator<void>, signal: AbortSignal | undefined): Promise<void> {
  let turnEnds = performance.now() + TURN_MS;
  while (steps.next().done !== true) {
    if (performance.now() < turnEnds) continue;
    signal?.throwIfAborted();
    await nextTurn();
    turnEnds = performance.now() + TURN_MS;
  }
}
