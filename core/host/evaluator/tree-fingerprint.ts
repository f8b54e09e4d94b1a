import { createHash } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";

/**
 * Digest over what a change of a tree would change: names, kinds, modes, sizes, times and inodes of all that counts.
 * Equal means unchanged; different means: look closer.
 *
 * @param counts Says which entries, relative to the tree, count; a folder that does not is not entered.
 */
export function fingerprintTree(hostPath: string, counts: (relative: string) => boolean): string {
  const hash = createHash("sha256");
  const walk = (relative: string): void => {
    const path = relative === "" ? hostPath : `${hostPath}/${relative}`;
    const stat = lstatSync(path, { bigint: true });
    const folder = stat.isDirectory();
    // The time of a folder also changes with entries that do not count.
    hash.update(
      folder
        ? `${relative}\0${stat.mode}\0`
        : `${relative}\0${stat.mode}\0${stat.size}\0${stat.mtimeNs}\0${stat.ino}\0`,
    );
    if (!folder) return;
    for (const name of readdirSync(path).sort()) {
      const below = relative === "" ? name : `${relative}/${name}`;
      if (counts(below)) walk(below);
    }
  };
  walk("");
  return hash.digest("hex");
}
