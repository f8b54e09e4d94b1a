import { closeSync, fchmodSync, futimesSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hashBytes } from "../../base/index.ts";
import { dumpFileNar, type PathInfo, type StorePath } from "../../store/index.ts";
import { CANONICAL_MTIME_SECONDS, removeTree, temporaryName } from "../files/index.ts";

/**
 * Write a single-file object and give the facts to register it with.
 *
 * It appears by one rename, so no lock is needed: whoever else writes this path writes the same bytes.
 */
export function writeFileObject(
  real: string,
  contents: Uint8Array,
  facts: { readonly path: StorePath; readonly references: readonly StorePath[]; readonly ca: string },
): PathInfo {
  for (let attempt = 1; ; attempt++) {
    const temporary = temporaryName(real);
    try {
      writeCanonical(temporary, contents);
      place(temporary, real);
      break;
    } catch (error) {
      rmSync(temporary, { force: true });
      // A collection deletes what it does not know, our temporary file too.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || attempt === 3) throw error;
    }
  }
  const nar = dumpFileNar(contents);
  return { ...facts, narHash: hashBytes("sha256", nar), narSize: nar.length, signatures: [] };
}

function writeCanonical(path: string, contents: Uint8Array): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    writeFileSync(fd, contents);
    fchmodSync(fd, 0o444);
    futimesSync(fd, CANONICAL_MTIME_SECONDS, CANONICAL_MTIME_SECONDS);
  } finally {
    closeSync(fd);
  }
}

function place(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    // The leftover of an interrupted write: not registered, or we would not be here.
    if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
    removeTree(to);
    renameSync(from, to);
  }
}
