import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  utimesSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { toBase32 } from "../../base/index.ts";
import { LINKS_NAME } from "../../store/index.ts";
import { CANONICAL_MTIME_SECONDS } from "./canonicalise.ts";
import { hostPath, readNames } from "./host-path.ts";
import { scanTreeSync } from "./scan-tree.ts";

/** What joining the files of a tree came to. */
export interface JoinedFiles {
  /** Files looked at. */
  readonly files: number;
  /** Files replaced by a link to an equal one. */
  readonly linked: number;
  /** What that freed. */
  readonly bytesFreed: number;
  /** Links that were damaged and have been removed. */
  readonly damagedLinks: readonly string[];
}

/** How often a link that vanishes under our hands is made anew. */
const ATTEMPTS = 3;

/**
 * Joins files of store objects with equal ones, by hard links through `.links`, as Nix does. It is best effort: what the file system
 * does not let us link stays as it is, and other processes may join, build and collect meanwhile.
 *
 * It remembers which files are linked already; after many collections it may take a new file for one of them and leave it alone.
 */
export class FileJoiner {
  readonly #storeDirectory: string;
  readonly #links: string;
  /** Files that are in `.links` already. */
  readonly #inodes: Set<number>;
  /** Links whose contents we have compared with their name. */
  readonly #checked = new Set<string>();
  #counter = 0;
  #full: boolean;
  #found = { files: 0, linked: 0, bytesFreed: 0, damagedLinks: [] as string[] };

  constructor(storeDirectory: string) {
    this.#storeDirectory = storeDirectory;
    this.#links = join(storeDirectory, LINKS_NAME);
    this.#full = !makeDirectory(this.#links);
    this.#inodes = this.#full
      ? new Set()
      : new Set(readdirSync(this.#links).flatMap((name) => inodeOf(join(this.#links, name))));
  }

  /** Join the files of one object. One that is collected meanwhile is passed over. */
  join(path: string): JoinedFiles {
    this.#found = { files: 0, linked: 0, bytesFreed: 0, damagedLinks: [] };
    try {
      this.#tree(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    return this.#found;
  }

  #tree(path: string): void {
    const stat = lstatSync(hostPath(path));
    if (!stat.isDirectory()) return this.#file(path, stat);
    for (const name of readNames(path)) this.#tree(`${path}/${name}`);
  }

  #file(path: string, stat: Stats): void {
    if (!stat.isFile() && !stat.isSymbolicLink()) return;
    this.#found.files += 1;
    // Somebody may still be writing to it.
    if (stat.isFile() && (stat.mode & 0o200) !== 0) return;
    if (this.#full || this.#inodes.has(stat.ino)) return;
    const name = toBase32(scanTreeSync(path).narHash.digest);
    const link = join(this.#links, name);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (this.#makeLink(path, link, stat) || this.#useLink(path, link, stat)) return;
    }
  }

  /** The first file of its kind becomes the link. Whether nothing more is to be done. */
  #makeLink(path: string, link: string, stat: Stats): boolean {
    try {
      linkSync(hostPath(path), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EEXIST") return false;
      // The index of the directory is full; nothing new can be linked.
      if (code === "ENOSPC") this.#full = true;
      if (code === "ENOSPC" || isUnlinkable(code)) return true;
      throw error;
    }
    this.#inodes.add(stat.ino);
    this.#checked.add(link);
    return true;
  }

  /** Replace a file by its link. Whether nothing more is to be done; false when the link is gone or was no good. */
  #useLink(path: string, link: string, stat: Stats): boolean {
    const linked = lstatSync(link, { throwIfNoEntry: false });
    if (linked === undefined) return false;
    if (linked.ino === stat.ino) return true;
    if (!this.#isGood(link, linked, stat)) {
      rmSync(link, { force: true });
      this.#found.damagedLinks.push(link);
      return false;
    }
    const replaced = this.#replace(path, link);
    if (replaced !== "done") return replaced === "impossible";
    this.#found.linked += 1;
    this.#found.bytesFreed += stat.nlink > 1 ? 0 : stat.size;
    return true;
  }

  /** A damaged file must not take the place of a whole one, so the first use of a link compares it with its name. */
  #isGood(link: string, linked: Stats, stat: Stats): boolean {
    if (linked.size !== stat.size) return false;
    if (this.#checked.has(link)) return true;
    if (toBase32(scanTreeSync(link).narHash.digest) !== link.slice(link.lastIndexOf("/") + 1)) return false;
    this.#checked.add(link);
    return true;
  }

  #replace(path: string, link: string): "done" | "gone" | "impossible" {
    const temporary = join(this.#storeDirectory, `.tmp-link-${process.pid}-${threadSalt}${this.#counter++}`);
    const parent = dirname(path);
    const opened = parent !== this.#storeDirectory;
    try {
      linkSync(link, temporary);
      if (opened) chmodSync(hostPath(parent), 0o755);
      renameSync(temporary, hostPath(path));
      return "done";
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return "gone";
      if (code === "ENOSPC" || isUnlinkable(code)) return "impossible";
      throw error;
    } finally {
      // A rename does nothing at all when somebody else has just made the same link.
      rmSync(temporary, { force: true });
      if (opened) restoreDirectory(parent);
    }
  }
}

/** Tells threads of one process apart. */
const threadSalt = `${Math.floor(Math.random() * 0x7fff_ffff)}-`;

/** Too many links to one file, or a file system (or owner) that allows none. */
function isUnlinkable(code: string | undefined): boolean {
  return code === "EMLINK" || code === "EPERM" || code === "ENOTSUP" || code === "EXDEV";
}

function restoreDirectory(path: string): void {
  try {
    chmodSync(hostPath(path), 0o555);
    utimesSync(hostPath(path), CANONICAL_MTIME_SECONDS, CANONICAL_MTIME_SECONDS);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

function inodeOf(path: string): number[] {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined ? [] : [stat.ino];
}

/** Whether there is such a directory now; not on a disk that has no room for it. */
function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    return false;
  }
}
