import { lstatSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { LINKS_NAME } from "../../store/index.ts";
import { hostPath, readNames } from "../files/index.ts";
import { diskBytes } from "./sweeper.ts";
import { unlessUnreadable } from "./unreadable.ts";

/** A file with several names. */
interface Shared {
  readonly sizeBytes: number;
  readonly names: number;
  seen: number;
}

/**
 * Space that deleting entries of a store directory would free: each file once, and only when all its names go, that in
 * `.links` included.
 */
export function measureGarbage(storeDirectory: string, names: Iterable<string>): number {
  const shared = new Map<number, Shared>();
  let sizeBytes = 0;
  const queue = [...names].map((name) => `${storeDirectory}/${name}`);
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const place = path;
    const stat = unlessUnreadable(() => lstatSync(hostPath(place)));
    if (stat === undefined) continue;
    if (stat.isDirectory()) {
      sizeBytes += diskBytes(stat);
      queue.push(...(unlessUnreadable(() => readNames(place)) ?? []).map((name) => `${place}/${name}`));
    } else if (stat.nlink === 1) sizeBytes += diskBytes(stat);
    else {
      const entry = shared.get(stat.ino) ?? { sizeBytes: diskBytes(stat), names: stat.nlink, seen: 0 };
      entry.seen += 1;
      shared.set(stat.ino, entry);
    }
  }
  const oneLeft = new Set<number>();
  for (const [ino, entry] of shared) {
    if (entry.seen === entry.names) sizeBytes += entry.sizeBytes;
    else if (entry.seen === entry.names - 1) oneLeft.add(ino);
  }
  if (oneLeft.size === 0) return sizeBytes;
  const links = join(storeDirectory, LINKS_NAME);
  for (const name of unlessUnreadable(() => readNames(links)) ?? []) {
    const ino = unlessUnreadable(() => lstatSync(join(links, name)).ino);
    if (ino !== undefined && oneLeft.has(ino)) sizeBytes += shared.get(ino)?.sizeBytes ?? 0;
  }
  return sizeBytes;
}

/** Space that is free on the disk of a directory; endless where there is no telling, or no directory. */
export function freeBytes(directory: string): number {
  const stat = unlessUnreadable(() => statfsSync(directory));
  // Some virtual file systems report no size at all.
  return stat === undefined || stat.blocks === 0 ? Number.POSITIVE_INFINITY : stat.bavail * stat.bsize;
}
