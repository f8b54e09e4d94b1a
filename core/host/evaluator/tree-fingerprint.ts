import { hash as digestOf } from "node:crypto";
import { constants, lstatSync, readdirSync } from "node:fs";

/**
 * How long after a change, in nanoseconds, another one may leave the same time behind: kernels count in ticks of up to 10 ms, and
 * file systems of other machines have clocks of their own.
 */
const TICK_NS = 100_000_000n;

/** Whether something that changed at this time may change again without a trace. Times in nanoseconds since 1970. */
export function isYoung(ctimeNs: bigint, nowNs: bigint = BigInt(Date.now()) * 1_000_000n): boolean {
  return ctimeNs > nowNs - TICK_NS;
}

export interface TreeFingerprint {
  readonly digest: string;
  /** Whether something in it changed so shortly before that it may change again without a trace; folders count only by their entries. */
  readonly young: boolean;
}

/**
 * Digest over what a change of a tree would change: names, kinds, modes, sizes, times and inodes of all that counts.
 * Equal means unchanged; different means: look closer.
 *
 * The time is that of the inode (`ctime`), which no program can set back as it can the file's own; in milliseconds with what a double
 * keeps of their parts, a quarter of a microsecond.
 *
 * @param counts Says which entries, relative to the tree, count; a folder that does not is not entered.
 */
export function fingerprintTree(hostPath: string, counts: (relative: string) => boolean): TreeFingerprint {
  const stats = new StatText(hostPath);
  const walk = (relative: string): void => {
    if (!stats.add(relative)) return;
    for (const name of readdirSync(at(hostPath, relative)).sort()) {
      const below = relative === "" ? name : `${relative}/${name}`;
      if (counts(below)) walk(below);
    }
  };
  walk("");
  return stats.fingerprint();
}

/**
 * {@link fingerprintTree} of the tree itself and these entries of it, whatever else it has.
 *
 * @throws {Error} where one of them is missing.
 */
export function fingerprintEntries(hostPath: string, entries: readonly string[]): TreeFingerprint {
  const stats = new StatText(hostPath);
  stats.add("");
  for (const entry of entries) stats.add(entry);
  return stats.fingerprint();
}

export type TreeEntry = readonly [relative: string, kind: "file" | "directory" | "symlink"];

/** What a tree has, in an order that does not depend on the machine. @param counts As of {@link fingerprintTree}. */
export function listTree(hostPath: string, counts: (relative: string) => boolean): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const walk = (folder: string): void => {
    const found = readdirSync(at(hostPath, folder), { withFileTypes: true });
    for (const entry of found.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const relative = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (!counts(relative)) continue;
      entries.push([relative, entry.isDirectory() ? "directory" : entry.isSymbolicLink() ? "symlink" : "file"]);
      if (entry.isDirectory()) walk(relative);
    }
  };
  walk("");
  return entries;
}

/** Digest over names and kinds. */
export function fingerprintNames(entries: readonly TreeEntry[]): string {
  return digestOf("sha256", entries.map(([relative, kind]) => `${relative}\0${kind}\0`).join(""));
}

/** What would change with entries of a tree, as a text: to hand over each entry to a hash takes longer than to hash it. */
class StatText {
  readonly #hostPath: string;
  #text = "";
  #changedMs = 0;

  constructor(hostPath: string) {
    this.#hostPath = hostPath;
  }

  /** @returns whether it is a folder. */
  add(relative: string): boolean {
    const { mode, size, ctimeMs, ino } = lstatSync(at(this.#hostPath, relative));
    // The time of a folder also changes with entries that do not count.
    if ((mode & constants.S_IFMT) === constants.S_IFDIR) {
      this.#text += `${relative}\0${mode}\0`;
      return true;
    }
    this.#text += `${relative}\0${mode}\0${size}\0${ctimeMs}\0${ino}\0`;
    if (ctimeMs > this.#changedMs) this.#changedMs = ctimeMs;
    return false;
  }

  fingerprint(): TreeFingerprint {
    const young = isYoung(BigInt(Math.ceil(this.#changedMs)) * 1_000_000n);
    return { digest: digestOf("sha256", this.#text), young };
  }
}

function at(folder: string, relative: string): string {
  return relative === "" ? folder : `${folder}/${relative}`;
}
