import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type JobKind, type JobKinds, runJobs } from "./jobs.ts";

/** Bytes from which starting threads (about 150 ms) pays. */
const WORTH_THREADS_BYTES = 32 * 1024 * 1024;
/** One message carries jobs of about so many bytes, but no more than so many of them. */
const LIST_BYTES = 4 * 1024 * 1024;
const LIST_LENGTH = 64;
/** Lists a thread has in hand, so that it never waits for us. */
const LISTS_AHEAD = 2;

export interface ShareJobsOptions<Kind extends JobKind> {
  readonly kind: Kind;
  /** `sizeBytes` is what has to be read, roughly, to share the work out. */
  readonly jobs: readonly { readonly job: JobKinds[Kind]["job"]; readonly sizeBytes: number }[];
  /** Told of each result, in any order. */
  readonly take: (result: JobKinds[Kind]["result"]) => void;
  /** Default: the number of processors. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Do many jobs, on all processors when there is much to read. Between jobs `signal` is looked at. */
export async function shareJobs<Kind extends JobKind>(options: ShareJobsOptions<Kind>): Promise<void> {
  const { jobs, threads = availableParallelism() } = options;
  const total = jobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const worker = fileURLToPath(new URL("./worker.ts", import.meta.url));
  // The program of a machine is one file, without this one beside it.
  if (threads > 1 && total >= WORTH_THREADS_BYTES && existsSync(worker)) await onThreads(worker, threads, options);
  else await here(options);
}

async function here<Kind extends JobKind>({ kind, jobs, take, signal }: ShareJobsOptions<Kind>): Promise<void> {
  for (const [index, { job }] of jobs.entries()) {
    for (const result of runJobs({ kind, jobs: [job] })) take(result);
    if (index % 16 === 15) await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
}

/** Lists of jobs; the largest first, so that none of them is left for the end. */
function shareOut<Job>(jobs: readonly { readonly job: Job; readonly sizeBytes: number }[]): Job[][] {
  const lists: Job[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const { job, sizeBytes } of jobs.toSorted((a, b) => b.sizeBytes - a.sizeBytes)) {
    if (bytes + sizeBytes > LIST_BYTES || (lists.at(-1)?.length ?? 0) >= LIST_LENGTH) {
      lists.push([]);
      bytes = 0;
    }
    lists.at(-1)?.push(job);
    bytes += sizeBytes;
  }
  return lists;
}

async function onThreads<Kind extends JobKind>(
  file: string,
  threads: number,
  { kind, jobs, take, signal }: ShareJobsOptions<Kind>,
): Promise<void> {
  const lists = shareOut(jobs);
  const waiting = lists.values();
  const workers = Array.from({ length: Math.min(threads, lists.length) }, () => new Worker(file));
  try {
    await Promise.all(workers.map((worker) => feed({ worker, kind, waiting, take, signal })));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

interface Feeding<Kind extends JobKind> extends Pick<ShareJobsOptions<Kind>, "kind" | "take" | "signal"> {
  readonly worker: Worker;
  readonly waiting: Iterator<JobKinds[Kind]["job"][]>;
}

/** Keep one thread busy until nothing is waiting. */
function feed<Kind extends JobKind>({ worker, kind, waiting, take, signal }: Feeding<Kind>): Promise<void> {
  return new Promise((resolve, reject) => {
    let inHand = 0;
    const send = (): void => {
      for (; inHand < LISTS_AHEAD; inHand++) {
        const next = waiting.next();
        if (next.done === true) break;
        worker.postMessage({ kind, jobs: next.value });
      }
      if (inHand === 0) resolve();
    };
    worker.on("message", (results: readonly JobKinds[Kind]["result"][]) => {
      inHand -= 1;
      results.forEach(take);
      if (signal?.aborted === true) reject(signal.reason as Error);
      else send();
    });
    worker.on("error", reject);
    send();
  });
}
