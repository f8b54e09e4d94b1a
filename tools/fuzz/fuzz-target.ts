import { Worker } from "node:worker_threads";
import type { WorkerReport, WorkerTask } from "./worker.ts";

export interface FuzzTargetOptions {
  readonly target: string;
  readonly seed: number;
  /** The first case, and one past the last. */
  readonly first: number;
  readonly end: number;
  /** This very input instead of the one the seed gives. */
  readonly input?: Uint8Array;
  /** Where the target is: a module that exports `TARGETS`. Default: those of this folder. */
  readonly targets?: string;
  /** A case takes well below a millisecond; a machine that does much else at once may still let it wait. Default 20. */
  readonly hangSeconds?: number;
  /** Of the thread; code and samples take a fifth of it. Default 256. */
  readonly heapMegabytes?: number;
}

/** Run cases of a target in a thread of its own, up to the first fault. */
export function fuzzTarget({
  targets = new URL("targets/index.ts", import.meta.url).href,
  hangSeconds = 20,
  heapMegabytes = 256,
  ...cases
}: FuzzTargetOptions): Promise<WorkerReport> {
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const task: WorkerTask = { ...cases, targets, progress };
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  return watch(worker, progress, hangSeconds);
}

/** The worker's report, or what kept it from giving one. */
function watch(worker: Worker, progress: Int32Array, hangSeconds: number): Promise<WorkerReport> {
  const fault = (words: string): WorkerReport => ({
    kind: "fault",
    index: Atomics.load(progress, 0),
    input: "",
    words,
  });
  return new Promise((resolve) => {
    let last = "";
    let since = performance.now();
    const timer = setInterval(() => {
      const now = progress.join();
      if (now !== last) {
        last = now;
        since = performance.now();
      } else if (performance.now() - since > hangSeconds * 1000) {
        settle(fault(`hangs: no end after ${hangSeconds} s`));
      }
    }, 500);
    const settle = (report: WorkerReport): void => {
      clearInterval(timer);
      void worker.terminate();
      resolve(report);
    };
    worker.once("message", settle);
    worker.once("error", (error) => settle(fault((error as Error).stack ?? String(error))));
    worker.once("exit", () => settle(fault("ends without a word")));
  });
}
