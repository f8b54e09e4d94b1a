/** A thread of `shareJobs`: takes lists of jobs and answers each list with its results. */
import { parentPort } from "node:worker_threads";
import { runJobs, type WorkerRequest } from "./jobs.ts";

parentPort?.on("message", (request: WorkerRequest) => parentPort?.postMessage(runJobs(request)));
