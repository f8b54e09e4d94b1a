import { closeSync, constants, fstatSync, openSync, rmSync, writeSync } from "node:fs";
import { sortedText } from "../../base/index.ts";
import { lockFile as lockOpenFile } from "./file-lock.ts";

/** Locks that are held together. */
export interface HeldLocks {
  /** Give them back. Once is enough. */
  release(): void;
}

export interface LockPathsOptions {
  /** Whether to wait for locks somebody else has. Default true. */
  readonly wait?: boolean;
  readonly signal?: AbortSignal;
  /** Takes the lock of one file without waiting, for a caller who knows a faster way than a process for each. */
  readonly lockFile?: ((file: string) => Promise<HeldLocks | undefined>) | undefined;
}

/**
 * Lock places on disk, each through the file `<path>.lock` beside it, in sorted order so that two takers cannot block each other.
 *
 * @returns `undefined` when one is taken and we do not wait; then none is held.
 *
 * Source: Nix, `PathLocks`.
 */
export async function lockRealPaths(
  paths: Iterable<string>,
  { wait = true, signal, lockFile }: LockPathsOptions = {},
): Promise<HeldLocks | undefined> {
  const held: HeldLocks[] = [];
  const release = (): void => {
    for (const lock of held.splice(0)) lock.release();
  };
  const take = wait || lockFile === undefined ? (file: string) => lockOne(file, { wait, signal }) : lockFile;
  try {
    for (const path of sortedText(new Set(paths))) {
      const lock = await take(`${path}.lock`);
      if (lock === undefined) {
        release();
        return undefined;
      }
      held.push(lock);
    }
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

async function lockOne(
  file: string,
  { wait, signal }: { wait: boolean; signal: AbortSignal | undefined },
): Promise<HeldLocks | undefined> {
  for (;;) {
    const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    let taken = false;
    try {
      taken = await lockOpenFile(fd, "exclusive", { wait, signal });
      const { size, nlink } = fstatSync(fd);
      if (taken && size === 0 && nlink > 0) return { release: () => giveBack(file, fd) };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
    if (!taken) return undefined;
  }
}

function giveBack(file: string, fd: number): void {
  // Unlink first, then mark: who waits for this file sees that it is stale and starts over.
  rmSync(file, { force: true });
  try {
    writeSync(fd, "d");
  } catch {
    // The disk is full: Nix does not see the mark then, we look whether the file still has a name.
  }
  closeSync(fd);
}
