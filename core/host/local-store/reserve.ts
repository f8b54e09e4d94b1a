import { rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StoreLayout } from "./layout.ts";

/** Space set aside for the collector, which must be able to write when the disk is full. As Nix. */
const RESERVED_BYTES = 8 * 1024 * 1024;

const fileOf = ({ stateDirectory }: StoreLayout): string => join(stateDirectory, "db/reserved");

/** Where so much is free nothing has to be given back. */
const AMPLE_BYTES = 16 * RESERVED_BYTES;

/** Give back the space set aside when little else is left, so that a collection can begin on a full disk. */
export function dropReserve(layout: StoreLayout): void {
  if (freeBytes(layout) < AMPLE_BYTES) rmSync(fileOf(layout), { force: true });
}

/** Set space aside, where there is more than enough of it. */
export function restoreReserve(layout: StoreLayout): void {
  const file = fileOf(layout);
  // One that is shorter was being written when its process was killed.
  if (statSync(file, { throwIfNoEntry: false })?.size === RESERVED_BYTES) return;
  if (freeBytes(layout) < 2 * RESERVED_BYTES) return;
  try {
    writeFileSync(file, Buffer.alloc(RESERVED_BYTES, "X"), { mode: 0o600 });
  } catch (error) {
    rmSync(file, { force: true });
    // The disk became full meanwhile: next time.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOSPC" && code !== "EDQUOT") throw error;
  }
}

function freeBytes({ stateDirectory }: StoreLayout): number {
  const { bavail, bsize } = statfsSync(join(stateDirectory, "db"));
  return bavail * bsize;
}
