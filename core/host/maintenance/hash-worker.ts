/** A thread of `hashObjects`: takes lists of jobs and answers each list with its results. */
import { parentPort } from "node:worker_threads";
import { type HashJob, runHashJob } from "./hash-job.ts";

parentPort?.on("message", (jobs: readonly HashJob[]) => parentPort?.postMessage(jobs.map(runHashJob)));
