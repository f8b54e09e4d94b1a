import { CodedError, compareText } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import type { BuildJob, PlanJob } from "./jobs.ts";
import type { BuildPlan } from "./plan.ts";

/** How much may run at once. */
export interface ScheduleLimits {
  /** Builds at once; at least 1. */
  readonly maxJobs: number;
  /** Processors one build may use, told to it as `NIX_BUILD_CORES`; at least 1. */
  readonly cores: number;
  /** Processors all builds together may use. Default: `maxJobs` × `cores`, which never holds a build back. */
  readonly totalCores?: number | undefined;
  /**
   * Memory that builds at once may need together, and how much one needs: 0 where nobody knows. A build that needs more than is left
   * waits, unless nobody else needs any. Default: any.
   */
  readonly memory?: { readonly totalBytes: number; readonly of: (job: BuildJob) => number } | undefined;
  /** Downloads at once that derivations describe; they have their own slots. Default 6. */
  readonly maxFetches?: number | undefined;
  /** Transfers from other stores at once. Default 16. */
  readonly maxSubstitutions?: number | undefined;
  /** Go on with what does not depend on a failure. */
  readonly keepGoing: boolean;
}

/** A job to start now, with the processors granted to it. */
export interface StartedJob {
  readonly job: PlanJob;
  readonly cores: number;
}

/** What a job is given while it runs; a build that waits for memory lets those go ahead that need none. */
type Grant = { readonly cores: number; readonly memoryBytes: number } | "no slot" | "no memory";

/** What the end of one job means for others. */
export interface JobsSettled {
  /** Jobs that are done now, each after what it depends on: the one that was reported, and transfers that waited for it. */
  readonly done: readonly StorePath[];
  /** Jobs that can never be done now, each with what it waited for. */
  readonly lost: readonly { readonly id: StorePath; readonly because: StorePath }[];
}

const NOTHING_SETTLED: JobsSettled = { done: [], lost: [] };

/** What was found by following an output. */
export interface FoundJobs {
  readonly jobs: readonly PlanJob[];
  /** Those of them, and of others, that make what was wanted. */
  readonly dependencies: readonly StorePath[];
  readonly isEnough: (found: PlanJob) => boolean;
}

type JobState = "waiting" | "running" | "arrived" | "done" | "failed" | "dependency-failed";

/**
 * Which job to start when: a state machine without clock and processes.
 *
 * Ask {@link start} for jobs, report each by {@link finish}, until {@link isIdle}. The job with the longest chain of dependents
 * goes first. Without `keepGoing` a failure stops new starts, while running jobs come to their end, so no work is lost.
 *
 * Transfers do not wait for what their object refers to; they are done when that is done too. Their failure stops nothing,
 * since what is missing can still be built.
 *
 * What a build wrote may be a plan itself: a job that follows it brings the jobs it found by {@link extend}, and is done when they are.
 */
export class Schedule {
  readonly #limits: ScheduleLimits & {
    readonly totalCores: number;
    readonly maxFetches: number;
    readonly maxSubstitutions: number;
  };
  readonly #jobs = new Map<StorePath, PlanJob>();
  readonly #state = new Map<StorePath, JobState>();
  readonly #open = new Map<StorePath, number>();
  readonly #dependents = new Map<StorePath, StorePath[]>();
  readonly #running = new Map<StorePath, StartedJob & { readonly memoryBytes: number }>();
  /** What could start now, by kind; the most urgent last. */
  readonly #ready: Readonly<Record<PlanJob["kind"], PlanJob[]>> = { build: [], fetch: [], substitute: [], follow: [] };
  readonly #runningCount: Record<PlanJob["kind"], number> = { build: 0, fetch: 0, substitute: 0, follow: 0 };
  #usedCores = 0;
  #usedMemory = 0;
  #stopped = false;

  constructor(plan: BuildPlan, limits: ScheduleLimits) {
    this.#limits = {
      ...limits,
      totalCores: limits.totalCores ?? limits.maxJobs * limits.cores,
      maxFetches: limits.maxFetches ?? 6,
      maxSubstitutions: limits.maxSubstitutions ?? 16,
    };
    this.#enter(plan.jobs);
  }

  /** Make jobs known, which may need each other and those that are known; what can start is ready then. */
  #enter(jobs: readonly PlanJob[]): void {
    for (const job of jobs) {
      this.#jobs.set(job.id, job);
      this.#state.set(job.id, "waiting");
      // Those that waited for it before have been told.
      this.#dependents.delete(job.id);
    }
    for (const job of jobs) this.#await(job.id, job.dependencies);
    for (const kind of ["build", "fetch", "substitute", "follow"] as const) {
      const ready = jobs.filter((job) => job.kind === kind && (kind === "substitute" || this.#open.get(job.id) === 0));
      if (ready.length === 0) continue;
      this.#ready[kind].push(...ready);
      this.#ready[kind].sort(byUrgency).reverse();
    }
  }

  /** Let a job wait for those of the dependencies that are not done. */
  #await(id: StorePath, dependencies: readonly StorePath[]): void {
    let open = 0;
    for (const dependency of dependencies) {
      if (this.#state.get(dependency) === "done") continue;
      open++;
      const list = this.#dependents.get(dependency);
      if (list === undefined) this.#dependents.set(dependency, [id]);
      else list.push(id);
    }
    this.#open.set(id, open);
  }

  /**
   * Report what a job found that follows an output: it is done when its new dependencies are. Jobs that are known already are not entered
   * again, however they ended; one that is done but did less than is wanted now is.
   *
   * @param isEnough Whether what a known job has done is all that is wanted of the found one.
   * @returns Besides, the jobs that were entered.
   * @throws {CodedError} `build.cycle` when a found job needs what waits for this one; the job is to be reported as failed then.
   */
  extend(
    id: StorePath,
    { jobs, dependencies, isEnough }: FoundJobs,
  ): JobsSettled & { readonly fresh: readonly PlanJob[] } {
    const { job } = this.#running.get(id) as StartedJob;
    const fresh = jobs.filter((each) => {
      const state = this.#state.get(each.id);
      return state === undefined || (state === "done" && !isEnough(each));
    });
    this.#checkNoCycle(id, [...fresh, { id, dependencies }]);
    this.#enter(fresh.map((each) => ({ ...each, rank: each.rank + job.rank + 1 })));
    this.#running.delete(id);
    this.#runningCount[job.kind]--;
    this.#await(id, dependencies);
    this.#state.set(id, "arrived");
    const lost = [...fresh, { id, dependencies }].flatMap((each) =>
      each.dependencies
        .filter((dependency) => this.#isLost(dependency))
        .flatMap((dependency) => this.#failDependents(dependency)),
    );
    const isDone = lost.length === 0 && this.#open.get(id) === 0;
    return { done: isDone ? this.#settle(id) : [], lost, fresh };
  }

  #isLost(id: StorePath): boolean {
    const state = this.#state.get(id);
    return state === "failed" || state === "dependency-failed";
  }

  /** Only in a damaged store can a derivation need one that could not be written without it. */
  #checkNoCycle(id: StorePath, found: readonly Pick<PlanJob, "id" | "dependencies">[]): void {
    const waiting = new Set<StorePath>([id]);
    for (const path of waiting) for (const dependent of this.#dependents.get(path) ?? []) waiting.add(dependent);
    const wrong = found.flatMap(({ dependencies }) => dependencies.filter((dependency) => waiting.has(dependency)));
    if (wrong.length === 0) return;
    throw new CodedError("build.cycle", `Cannot plan the build of "${wrong[0]}": it needs itself`, {
      details: [...new Set(wrong)],
    });
  }

  /** Jobs to start now; they count as running from here on. Transfers first: they cost the least. */
  start(): StartedJob[] {
    const started: StartedJob[] = [];
    if (this.#stopped) return started;
    for (const kind of ["follow", "substitute", "fetch", "build"] as const) {
      const ready = this.#ready[kind];
      let lacksMemory = false;
      for (let at = ready.length - 1; at >= 0; at--) {
        const job = ready[at] as PlanJob;
        if (this.#state.get(job.id) !== "waiting") {
          ready.splice(at, 1);
          continue;
        }
        const grant = this.#grant(job);
        if (grant === "no slot") break;
        if (grant === "no memory" || (lacksMemory && grant.memoryBytes > 0)) {
          lacksMemory = true;
          continue;
        }
        ready.splice(at, 1);
        const { cores, memoryBytes } = grant;
        this.#running.set(job.id, { job, cores, memoryBytes });
        this.#state.set(job.id, "running");
        this.#runningCount[kind]++;
        if (kind === "build") this.#usedCores += cores;
        this.#usedMemory += memoryBytes;
        started.push({ job, cores });
      }
    }
    return started;
  }

  /** Builds that wait for nothing but a build that runs: whoever else wants them has to wait for it as well. */
  upcoming(): BuildJob[] {
    if (this.#stopped) return [];
    const upcoming: BuildJob[] = [];
    for (const { job: running } of this.#running.values()) {
      if (running.kind !== "build") continue;
      for (const id of this.#dependents.get(running.id) ?? []) {
        const job = this.#jobs.get(id) as PlanJob;
        const isNext = this.#open.get(id) === 1 && this.#state.get(id) === "waiting";
        if (isNext && job.kind === "build") upcoming.push(job);
      }
    }
    return upcoming.sort(byUrgency).slice(0, this.#runningCount.build);
  }

  /** Report the end of a job; for a transfer, that the object has come. */
  finish(id: StorePath, succeeded: boolean): JobsSettled {
    const { job, cores, memoryBytes } = this.#running.get(id) as StartedJob & { readonly memoryBytes: number };
    this.#running.delete(id);
    this.#runningCount[job.kind]--;
    this.#usedMemory -= memoryBytes;
    if (job.kind === "build") this.#usedCores -= cores;
    if (this.#state.get(id) === "dependency-failed") return NOTHING_SETTLED;
    if (succeeded) {
      if (job.kind === "substitute" && (this.#open.get(id) ?? 0) > 0) {
        this.#state.set(id, "arrived");
        return NOTHING_SETTLED;
      }
      return { done: this.#settle(id), lost: [] };
    }
    this.#state.set(id, "failed");
    if (!this.#limits.keepGoing && job.kind !== "substitute") this.#stopped = true;
    return { done: [], lost: this.#failDependents(id) };
  }

  /** Start nothing more: the run was cancelled. */
  stop(): void {
    this.#stopped = true;
  }

  /** True when nothing runs and nothing more can be started. */
  get isIdle(): boolean {
    return this.#running.size === 0 && (this.#stopped || !this.#hasReady());
  }

  /** Jobs that were neither started nor lost to a failure. */
  notStarted(): StorePath[] {
    return [...this.#state].filter(([, state]) => state === "waiting").map(([id]) => id);
  }

  #hasReady(): boolean {
    return Object.values(this.#ready).some((jobs) => jobs.some((job) => this.#state.get(job.id) === "waiting"));
  }

  #grant(job: PlanJob): Grant {
    const { maxJobs, maxFetches, maxSubstitutions, totalCores, cores, memory } = this.#limits;
    const running = this.#runningCount[job.kind];
    if (job.kind === "follow") return { cores: 1, memoryBytes: 0 };
    if (job.kind === "substitute") return running < maxSubstitutions ? { cores: 1, memoryBytes: 0 } : "no slot";
    if (job.kind === "fetch") return running < maxFetches ? { cores: 1, memoryBytes: 0 } : "no slot";
    const free = totalCores - this.#usedCores;
    if (running >= maxJobs || (free < 1 && running > 0)) return "no slot";
    const memoryBytes = memory?.of(job) ?? 0;
    const left = memory === undefined || this.#usedMemory === 0 ? memoryBytes : memory.totalBytes - this.#usedMemory;
    if (memoryBytes > 0 && memoryBytes > left) return "no memory";
    return { cores: Math.max(1, Math.min(cores, free)), memoryBytes };
  }

  /** Mark a job as done, then the transfers that waited for nothing else. */
  #settle(id: StorePath): StorePath[] {
    const done: StorePath[] = [];
    const queue = [id];
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      this.#state.set(next, "done");
      done.push(next);
      for (const dependent of this.#dependents.get(next) ?? []) {
        const open = (this.#open.get(dependent) ?? 0) - 1;
        this.#open.set(dependent, open);
        if (open > 0) continue;
        const job = this.#jobs.get(dependent) as PlanJob;
        if (this.#state.get(dependent) === "arrived") queue.push(dependent);
        else if (this.#state.get(dependent) === "waiting" && job.kind !== "substitute") this.#insert(job);
      }
    }
    return done;
  }

  #insert(job: PlanJob): void {
    const ready = this.#ready[job.kind];
    const at = ready.findLastIndex((other) => byUrgency(job, other) < 0);
    ready.splice(at + 1, 0, job);
  }

  #failDependents(failed: StorePath): { id: StorePath; because: StorePath }[] {
    const lost: { id: StorePath; because: StorePath }[] = [];
    const queue = [failed];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const id of this.#dependents.get(path) ?? []) {
        const state = this.#state.get(id);
        // A transfer may run or have come already; without what it refers to it is worth nothing.
        if (state !== "waiting" && state !== "arrived" && state !== "running") continue;
        this.#state.set(id, "dependency-failed");
        lost.push({ id, because: failed });
        queue.push(id);
      }
    }
    return lost;
  }
}

function byUrgency(a: PlanJob, b: PlanJob): number {
  return b.rank - a.rank || compareText(a.id, b.id);
}
