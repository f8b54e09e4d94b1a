import { chmodSync, lstat, lstatSync, mkdirSync, renameSync, rmdirSync, type Stats, unlink, unlinkSync } from "node:fs";
import { join } from "node:path";
import { LINKS_NAME, TRASH_NAME } from "../../store/index.ts";
import { hostPath, readNames } from "../files/index.ts";
import { unlessUnreadable } from "./unreadable.ts";

/** Files that are being deleted at once: on a busy disk each waits for it, and they wait together. */
const AT_ONCE = 64;
/** The kernel takes its time for a large file, so such a one goes the way of directories. */
const LARGE_BYTES = 4 * 1024 * 1024;
/** Directories within directories that are deleted where they are; deeper ones, whose path may be too long, are moved first. */
const MAX_DEPTH = 32;
/** Milliseconds that the system may take to delete one file. */
const MAX_WAITS = 30_000;
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
  readonly #links: string;
  readonly #isRoot = process.geteuid?.() === 0;
  /** Entries that are still to be removed, and those of which a thread of the system has begun to. */
  #left = new Set<string>();
  readonly #unlinking = new Set<string>();
  #moved = 0;
  /** Files and directories that are gone: without any there is no use in trying again. */
  #steps = 0;

  /**
   * @param storeDirectory Its place on disk.
   * @param options `links`: where the names in `.links` are listed that may go. Default below `storeDirectory`.
   */
  constructor(storeDirectory: string, { links = join(storeDirectory, LINKS_NAME) }: { readonly links?: string } = {}) {
    this.#storeDirectory = storeDirectory;
    this.#links = links;
    this.#trash = join(storeDirectory, TRASH_NAME);
  }

  /**
   * Take entries out of the store directory: what is not deleted quickly is put aside for {@link emptyTrash}, so that whoever
   * wants to make the path again need not wait. Those that {@link removeNow} takes meanwhile are left to it.
   */
  async removeAll(names: Iterable<string>): Promise<void> {
    const left = new Set(names);
    this.#left = left;
    await atOnce([...left], async (name) => {
      const path = this.#placeOf(name);
      const stat = await look(path);
      if (!left.has(name)) return;
      if (stat !== undefined && isSlow(stat)) this.#tryTo(path, () => this.#putAside(path, stat));
      else if (stat !== undefined) {
        this.#unlinking.add(name);
        await this.#delete(path, stat);
        this.#unlinking.delete(name);
      }
      left.delete(name);
    });
  }

  /** Take one entry out before anything else happens in this process: it may be made again right after. */
  removeNow(name: string): void {
    this.#left.delete(name);
    const path = this.#placeOf(name);
    // Another thread is about to delete it, and must have done so before something new is there.
    for (let waits = 0; this.#unlinking.has(name) && waits < MAX_WAITS && isThere(path); waits++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
    const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
    if (stat === undefined) return;
    this.#tryTo(path, () => {
      if (isSlow(stat)) return this.#putAside(path, stat);
      unlinkSync(hostPath(path));
      this.#count(stat);
    });
  }

  /** Delete what was put aside, now or by a collection that did not come to its end. */
  async emptyTrash(signal?: AbortSignal): Promise<void> {
    // Deep trees are put aside again in pieces.
    for (let before = -1; before !== this.#steps && this.#hasTrash(); ) {
      before = this.#steps;
      await this.#deleteEntries(this.#trash, 0, signal);
    }
    unlessUnreadable(() => rmdirSync(this.#trash));
  }

  /** Delete the names in `.links` that are the last of their files. */
  async removeUnusedLinks(signal?: AbortSignal): Promise<void> {
    const folder = join(this.#storeDirectory, LINKS_NAME);
    await atOnce(
      unlessUnreadable(() => readNames(this.#links)) ?? [],
      async (name) => {
        const path = `${folder}/${name}`;
        const stat = await look(path);
        if (stat?.nlink === 1) await this.#delete(path, stat);
      },
      signal,
    );
  }

  #placeOf(name: string): string {
    return `${this.#storeDirectory}/${name}`;
  }

  #hasTrash(): boolean {
    return unlessUnreadable(() => readNames(this.#trash).length > 0) ?? false;
  }

  #putAside(path: string, stat: Stats): void {
    mkdirSync(this.#trash, { recursive: true, mode: 0o700 });
    this.#makeWritable(path, stat);
    this.#moved += 1;
    renameSync(hostPath(path), join(this.#trash, String(this.#moved)));
  }

  async #deleteEntries(directory: string, depth: number, signal: AbortSignal | undefined): Promise<void> {
    const folders: { readonly path: string; readonly stat: Stats }[] = [];
    await atOnce(
      readNames(directory),
      async (name) => {
        const path = `${directory}/${name}`;
        const stat = await look(path);
        if (stat?.isDirectory()) folders.push({ path, stat });
        else if (stat !== undefined) await this.#delete(path, stat);
      },
      signal,
    );
    for (const { path, stat } of folders) {
      if (depth === MAX_DEPTH) {
        this.#tryTo(path, () => this.#putAside(path, stat));
        continue;
      }
      this.#tryTo(path, () => this.#makeWritable(path, stat));
      await this.#deleteEntries(path, depth + 1, signal);
      this.#tryTo(path, () => {
        rmdirSync(hostPath(path));
        this.#count(stat);
      });
    }
  }

  async #delete(path: string, stat: Stats): Promise<void> {
    const error = await new Promise<Error | null>((resolve) => unlink(hostPath(path), resolve));
    if (error === null) this.#count(stat);
    else this.#failed(path, error);
  }

  #count(stat: Stats): void {
    this.#steps += 1;
    if (stat.isDirectory() || stat.nlink === 1) this.freedBytes += diskBytes(stat);
    else if (stat.nlink === 2) this.linkedBytes += diskBytes(stat);
  }

  /** Directories without write permission keep their entries, and their place, from everyone but root. */
  #makeWritable(path: string, stat: Stats): void {
    if (!this.#isRoot && stat.isDirectory() && (stat.mode & 0o700) !== 0o700) chmodSync(hostPath(path), 0o700);
  }

  #tryTo(path: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#failed(path, error);
    }
  }

  /** One thing that cannot be deleted, a mount or an immutable file, must not keep the rest. */
  #failed(path: string, error: unknown): void {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    if (!STUCK.has(code ?? "")) throw error;
    if (code !== "ENOTEMPTY") this.failures.push(`${path}: ${message}`);
  }
}

function isThere(path: string): boolean {
  return lstatSync(hostPath(path), { throwIfNoEntry: false }) !== undefined;
}

function isSlow(stat: Stats): boolean {
  return stat.isDirectory() || stat.size >= LARGE_BYTES;
}

/** `undefined` for what is not there. */
function look(path: string): Promise<Stats | undefined> {
  return new Promise((resolve, reject) => {
    lstat(hostPath(path), (error, stat) => {
      if (error === null) resolve(stat);
      else if (error.code === "ENOENT") resolve(undefined);
      else reject(error);
    });
  });
}

/** Do something for each, some at a time. */
async function atOnce<T>(all: readonly T[], each: (one: T) => Promise<void>, signal?: AbortSignal): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) {
    signal?.throwIfAborted();
    // What has begun comes to its end, also when something fails: nothing is deleted after we said that we are done.
    const ends = await Promise.allSettled(all.slice(at, at + AT_ONCE).map(each));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
  }
}
