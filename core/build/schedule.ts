import { compareText } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import type { BuildJob, BuildPlan } from "./plan.ts";

/** How much may run at once. */
export interface ScheduleLimits {
  /** Builds at once; at least 1. */
  readonly maxJobs: number;
  /** Processors one build may use, told to it as `NIX_BUILD_CORES`; at least 1. */
  readonly cores: number;
  /** Processors all builds together may use. Default: `maxJobs` × `cores`, which never holds a build back. */
  readonly totalCores?: number | undefined;
  /** Downloads at once; they have their own slots. Default 6. */
  readonly maxFetches?: number | undefined;
  /** Go on with what does not depend on a failure. */
  readonly keepGoing: boolean;
}

/** A job to start now, with the processors granted to it. */
export interface StartedJob {
  readonly job: BuildJob;
  readonly cores: number;
}

type JobState = "waiting" | "running" | "done" | "failed" | "dependency-failed";

/**
 * Which job to start when: a state machine without clock and processes.
 *
 * Ask {@link start} for jobs, report each by {@link finish}, until {@link isIdle}. The job with the longest chain of dependents
 * goes first. Without `keepGoing` a failure stops new starts, while running jobs come to their end, so no work is lost.
 */
export class Schedule {
  readonly #limits: ScheduleLimits & { readonly totalCores: number; readonly maxFetches: number };
  readonly #state = new Map<StorePath, JobState>();
  readonly #open = new Map<StorePath, number>();
  readonly #dependents = new Map<StorePath, BuildJob[]>();
  readonly #running = new Map<StorePath, StartedJob>();
  #ready: BuildJob[] = [];
  #stopped = false;

  constructor(plan: BuildPlan, limits: ScheduleLimits) {
    this.#limits = {
      ...limits,
      totalCores: limits.totalCores ?? limits.maxJobs * limits.cores,
      maxFetches: limits.maxFetches ?? 6,
    };
    for (const job of plan.jobs) {
      this.#state.set(job.drvPath, "waiting");
      this.#open.set(job.drvPath, job.dependencies.length);
      for (const dependency of job.dependencies) {
        const list = this.#dependents.get(dependency);
        if (list === undefined) this.#dependents.set(dependency, [job]);
        else list.push(job);
      }
    }
    this.#ready = plan.jobs.filter((job) => job.dependencies.length === 0).sort(byUrgency);
  }

  /** Jobs to start now; they count as running from here on. */
  start(): StartedJob[] {
    if (this.#stopped) return [];
    const started: StartedJob[] = [];
    const left: BuildJob[] = [];
    for (const job of this.#ready) {
      const cores = this.#grant(job);
      if (cores === undefined) {
        left.push(job);
        continue;
      }
      const entry = { job, cores };
      this.#running.set(job.drvPath, entry);
      this.#state.set(job.drvPath, "running");
      started.push(entry);
    }
    this.#ready = left;
    return started;
  }

  /** Report the end of a job. Gives the jobs that can never start now, each with what it waited for. */
  finish(drvPath: StorePath, succeeded: boolean): { readonly drvPath: StorePath; readonly because: StorePath }[] {
    this.#running.delete(drvPath);
    this.#state.set(drvPath, succeeded ? "done" : "failed");
    if (!succeeded) {
      if (!this.#limits.keepGoing) this.#stopped = true;
      return this.#failDependents(drvPath);
    }
    for (const dependent of this.#dependents.get(drvPath) ?? []) {
      const open = (this.#open.get(dependent.drvPath) ?? 0) - 1;
      this.#open.set(dependent.drvPath, open);
      if (open === 0 && this.#state.get(dependent.drvPath) === "waiting") this.#insert(dependent);
    }
    return [];
  }

  /** Start nothing more: the run was cancelled. */
  stop(): void {
    this.#stopped = true;
  }

  /** True when nothing runs and nothing more can be started. */
  get isIdle(): boolean {
    return this.#running.size === 0 && (this.#stopped || this.#ready.length === 0);
  }

  /** Jobs that were neither started nor lost to a failure. */
  notStarted(): StorePath[] {
    return [...this.#state].filter(([, state]) => state === "waiting").map(([path]) => path);
  }

  #grant(job: BuildJob): number | undefined {
    let builds = 0;
    let fetches = 0;
    let used = 0;
    for (const { job: running, cores } of this.#running.values()) {
      if (running.kind === "fetch") fetches++;
      else {
        builds++;
        used += cores;
      }
    }
    if (job.kind === "fetch") return fetches < this.#limits.maxFetches ? 1 : undefined;
    const free = this.#limits.totalCores - used;
    if (builds >= this.#limits.maxJobs || (free < 1 && builds > 0)) return undefined;
    return Math.max(1, Math.min(this.#limits.cores, free));
  }

  #insert(job: BuildJob): void {
    const at = this.#ready.findIndex((other) => byUrgency(job, other) < 0);
    if (at === -1) this.#ready.push(job);
    else this.#ready.splice(at, 0, job);
  }

  #failDependents(failed: StorePath): { drvPath: StorePath; because: StorePath }[] {
    const lost: { drvPath: StorePath; because: StorePath }[] = [];
    const queue = [failed];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const dependent of this.#dependents.get(path) ?? []) {
        if (this.#state.get(dependent.drvPath) !== "waiting") continue;
        this.#state.set(dependent.drvPath, "dependency-failed");
        lost.push({ drvPath: dependent.drvPath, because: failed });
        queue.push(dependent.drvPath);
      }
    }
    return lost;
  }
}

function byUrgency(a: BuildJob, b: BuildJob): number {
  return b.rank - a.rank || compareText(a.drvPath, b.drvPath);
}
