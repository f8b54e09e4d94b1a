import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import type { StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { shareJobs } from "./share-jobs.ts";

export interface OptimiseOptions {
  /** Default: all of the store. */
  readonly paths?: readonly StorePath[];
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface OptimiseReport {
  readonly objects: number;
  readonly files: number;
  /** Files replaced by a link to an equal one. */
  readonly linked: number;
  readonly bytesFreed: number;
  /** Links whose contents did not fit their name; removed. */
  readonly damagedLinks: readonly string[];
}

/**
 * Join equal files of store objects, through hard links below `.links` as Nix does. It may be killed at any moment: each file is the
 * old or the new one.
 */
export async function optimiseStore(store: LocalStore, options: OptimiseOptions = {}): Promise<OptimiseReport> {
  store.checkMutable();
  // What lies in a lower store is not ours to change.
  const paths = (options.paths ?? store.allPaths()).filter((path) => !store.isShared(path));
  // What we rewrite must not be collected meanwhile.
  store.addTempRoots(paths);
  const valid = paths.flatMap((path) => {
    const info = store.queryPathInfo(path);
    return info === undefined || !existsSync(store.realPath(path)) ? [] : [info];
  });
  const run = randomUUID();
  const sum = { objects: 0, files: 0, linked: 0, bytesFreed: 0 };
  const damagedLinks: string[] = [];
  await shareJobs({
    kind: "optimise",
    jobs: valid.map(({ path, narSize }) => ({
      job: { path: store.realPath(path), realStoreDirectory: store.realStoreDirectory, run },
      sizeBytes: narSize,
    })),
    take(result) {
      sum.objects += 1;
      sum.files += result.files;
      sum.linked += result.linked;
      sum.bytesFreed += result.bytesFreed;
      damagedLinks.push(...result.damagedLinks);
      options.onProgress?.(sum.objects, valid.length);
    },
    threads: options.threads,
    signal: options.signal,
  });
  return { ...sum, damagedLinks };
}
