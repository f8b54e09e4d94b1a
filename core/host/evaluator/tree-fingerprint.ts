import { createHash } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";

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
  /** When something in it changed last, in nanoseconds since 1970; folders count only by their entries. */
  readonly changedNs: bigint;
}

/**
 * Digest over what a change of a tree would change: names, kinds, modes, sizes, times and inodes of all that counts.
 * Equal means unchanged; different means: look closer.
 *
 * The time is that of the inode (`ctime`), which no program can set back as it can the file's own.
 *
 * @param counts Says which entries, relative to the tree, count; a folder that does not is not entered.
 */
export function fingerprintTree(hostPath: string, counts: (relative: string) => boolean): TreeFingerprint {
  const hash = createHash("sha256");
  let changedNs = 0n;
  const walk = (relative: string): void => {
    const path = relative === "" ? hostPath : `${hostPath}/${relative}`;
    const stat = lstatSync(path, { bigint: true });
    const folder = stat.isDirectory();
    // The time of a folder also changes with entries that do not count.
    hash.update(
      folder
        ? `${relative}\0${stat.mode}\0`
        : `${relative}\0${stat.mode}\0${stat.size}\0${stat.ctimeNs}\0${stat.ino}\0`,
    );
    if (!folder) {
      if (stat.ctimeNs > changedNs) changedNs = stat.ctimeNs;
      return;
    }
    for (const name of readdirSync(path).sort()) {
      const below = relative === "" ? name : `${relative}/${name}`;
      if (counts(below)) walk(below);
    }
  };
  walk("");
  return { digest: hash.digest("hex"), changedNs };
}
