import { type HashJob, type HashResult, runHashJob } from "./hash-job.ts";
import { type OptimiseJob, type OptimiseResult, runOptimiseJob } from "./optimise-job.ts";

/** What threads can be asked, by kind. */
export interface JobKinds {
  readonly hash: { readonly job: HashJob; readonly result: HashResult };
  readonly optimise: { readonly job: OptimiseJob; readonly result: OptimiseResult };
}

export type JobKind = keyof JobKinds;

export interface WorkerRequest {
  readonly kind: JobKind;
  readonly jobs: readonly (HashJob | OptimiseJob)[];
}

/** Do a list of jobs of one kind, here. */
export function runJobs({ kind, jobs }: WorkerRequest): (HashResult | OptimiseResult)[] {
  return kind === "hash"
    ? jobs.map((job) => runHashJob(job as HashJob))
    : jobs.map((job) => runOptimiseJob(job as OptimiseJob));
}
