import { closeSync, constants, openSync } from "node:fs";
import { type GcPlan, LINKS_NAME, readStoreEntry, STORE_DIRECTORY, TRASH_NAME } from "../../store/index.ts";
import { hostPath, readNames } from "../files/index.ts";
import { lockFile } from "../local-store/index.ts";
import { unlessUnreadable } from "./unreadable.ts";

/**
 * Entries of the store directory that belong to no valid object and to nobody who lives.
 *
 * Spared are: what has the digest of a temporary root (an output that is being made, its lock, the directories of its
 * build), locks that somebody holds, and temporary files whose maker lives.
 */
export async function findUnregistered(storeDirectory: string, plan: GcPlan): Promise<string[]> {
  const found: string[] = [];
  for (const name of unlessUnreadable(() => readNames(storeDirectory)) ?? []) {
    if (name === LINKS_NAME || name === TRASH_NAME || plan.graph.nodes.has(`${STORE_DIRECTORY}/${name}`)) continue;
    if (!(await isInUse(storeDirectory, name, plan))) found.push(name);
  }
  return found;
}

async function isInUse(storeDirectory: string, name: string, plan: GcPlan): Promise<boolean> {
  const { digest, maker, isLock } = readStoreEntry(name);
  if (digest !== undefined && plan.isProtected(digest)) return true;
  if (maker !== undefined && isAlive(maker)) return true;
  if (!isLock && maker === undefined) return false;
  // Held locks of files, and of the temporary directories of later versions of Nix, which a process elsewhere may have made.
  return isLocked(`${storeDirectory}/${name}`);
}

function isAlive(pid: number): boolean {
  try {
    // Zero would ask about ourselves.
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function isLocked(path: string): Promise<boolean> {
  const fd = unlessUnreadable(() =>
    openSync(hostPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK),
  );
  if (fd === undefined) return false;
  try {
    return !(await lockFile(fd, "exclusive", { wait: false }));
  } finally {
    closeSync(fd);
  }
}
