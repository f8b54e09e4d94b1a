import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Hash } from "../../base/index.ts";
import { type HashJob, type HashResult, runHashJob } from "./hash-job.ts";

/** Bytes from which starting threads (about 150 ms) pays. */
const WORTH_THREADS_BYTES = 32 * 1024 * 1024;
/** One message carries jobs of about so many bytes, but no more than so many of them. */
const LIST_BYTES = 4 * 1024 * 1024;
const LIST_LENGTH = 64;
/** Lists a thread has in hand, so that it never waits for us. */
const LISTS_AHEAD = 2;

export interface ObjectToHash {
  readonly path: string;
  /** Expected bytes, to share the work out. */
  readonly sizeBytes: number;
}

export interface HashedObject {
  /** Absent when it could not be read; `fault` says why. */
  readonly hash?: { readonly narHash: Hash; readonly narSize: number };
  readonly fault?: { readonly code: string; readonly message: string };
  readonly metadata: readonly string[];
  readonly metadataFaults: number;
}

export interface HashObjectsOptions {
  /** Threads. Default: the number of processors. */
  readonly threads?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told as each one is done, in any order. */
  readonly onHashed?: (index: number) => void;
}

/**
 * Hash many store objects, on all processors when there is much to read.
 *
 * @returns one result for each, in their order.
 */
export async function hashObjects(
  objects: readonly ObjectToHash[],
  { threads = availableParallelism(), signal, onHashed }: HashObjectsOptions = {},
): Promise<HashedObject[]> {
  const results = new Array<HashedObject>(objects.length);
  const take = (result: HashResult): void => {
    results[result.index] = hashedObject(result);
    onHashed?.(result.index);
  };
  const total = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const worker = fileURLToPath(new URL("./hash-worker.ts", import.meta.url));
  if (threads > 1 && total >= WORTH_THREADS_BYTES && existsSync(worker))
    await hashOnThreads(worker, threads, shareOut(objects), take, signal);
  else await hashHere(objects, take, signal);
  return results;
}

function hashedObject({ digest, sizeBytes = 0, fault, metadata, metadataFaults }: HashResult): HashedObject {
  if (digest === undefined) return { ...(fault === undefined ? {} : { fault }), metadata, metadataFaults };
  // A message gives bytes a type of its own; digests are plain arrays.
  const hash = { narHash: { algorithm: "sha256" as const, digest: new Uint8Array(digest) }, narSize: sizeBytes };
  return { hash, metadata, metadataFaults };
}

async function hashHere(
  objects: readonly ObjectToHash[],
  take: (result: HashResult) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [index, { path }] of objects.entries()) {
    take(runHashJob({ index, path }));
    if (index % 16 === 15) await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
}

/** Lists of jobs; the largest objects first, so that none of them is left for the end. */
function shareOut(objects: readonly ObjectToHash[]): HashJob[][] {
  const order = objects.map(({ path, sizeBytes }, index) => ({ index, path, sizeBytes }));
  order.sort((a, b) => b.sizeBytes - a.sizeBytes);
  const lists: HashJob[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const { index, path, sizeBytes } of order) {
    if (bytes + sizeBytes > LIST_BYTES || (lists.at(-1)?.length ?? 0) >= LIST_LENGTH) {
      lists.push([]);
      bytes = 0;
    }
    lists.at(-1)?.push({ index, path });
    bytes += sizeBytes;
  }
  return lists;
}

async function hashOnThreads(
  file: string,
  threads: number,
  lists: readonly HashJob[][],
  take: (result: HashResult) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const waiting = lists.values();
  const workers = Array.from({ length: Math.min(threads, lists.length) }, () => new Worker(file));
  try {
    await Promise.all(workers.map((worker) => feed(worker, waiting, take, signal)));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Keep one thread busy until nothing is waiting. */
function feed(
  worker: Worker,
  waiting: Iterator<HashJob[]>,
  take: (result: HashResult) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let inHand = 0;
    const send = (): void => {
      for (; inHand < LISTS_AHEAD; inHand++) {
        const next = waiting.next();
        if (next.done === true) break;
        worker.postMessage(next.value);
      }
      if (inHand === 0) resolve();
    };
    worker.on("message", (results: readonly HashResult[]) => {
      inHand -= 1;
      results.forEach(take);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else send();
    });
    worker.on("error", reject);
    send();
  });
}
