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
  // All at once: to hand over each entry takes longer than to hash it.
  let text = "";
  let changedMs = 0;
  const walk = (relative: string): void => {
    const path = relative === "" ? hostPath : `${hostPath}/${relative}`;
    const { mode, size, ctimeMs, ino } = lstatSync(path);
    // The time of a folder also changes with entries that do not count.
    if ((mode & constants.S_IFMT) !== constants.S_IFDIR) {
      text += `${relative}\0${mode}\0${size}\0${ctimeMs}\0${ino}\0`;
      if (ctimeMs > changedMs) changedMs = ctimeMs;
      return;
    }
    text += `${relative}\0${mode}\0`;
    for (const name of readdirSync(path).sort()) {
      const below = relative === "" ? name : `${relative}/${name}`;
      if (counts(below)) walk(below);
    }
  };
  walk("");
  return { digest: digestOf("sha256", text), young: isYoung(BigInt(Math.ceil(changedMs)) * 1_000_000n) };
}
