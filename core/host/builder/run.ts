import { availableParallelism, totalmem } from "node:os";
import { constrainedMemory } from "node:process";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildJob,
  type BuildOutcome,
  type BuildRequest,
  type FollowJob,
  isBuildJob,
  type JobsSettled,
  type OutputName,
  type PlanJob,
  Schedule,
  showReason,
  type StartedJob,
  type SubstituteJob,
} from "../../build/index.ts";
import { type Derivation, isImpure, outputNames } from "../../derivation/index.ts";
import type { Realisation, StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { BuildFailure, BuildOptions } from "./build-paths.ts";
import { Closures } from "./closures.ts";
import { FreeSpace } from "./free-space.ts";
import { followOutput } from "./follow-output.ts";
import { LocalExecutor } from "./local-executor.ts";
import type { MadePlan } from "./make-plan.ts";
import { PeakMemory } from "./peak-memory.ts";
import { PostBuildHook } from "./post-build-hook.ts";
import { RealisedOutputs } from "./realised-outputs.ts";
import { RegistrationQueue } from "./registration.ts";
import { type Arrived, Transfers } from "./transfers.ts";

/** How a job ended. `unchanged`: its inputs turned out as they were when it was built before. */
type Ended = BuildOutcome | { readonly kind: "unchanged" };

export interface RunOptions extends BuildOptions {
  /** As in `BuildPathsOptions`. */
  readonly derivations?: ReadonlyMap<StorePath, Derivation> | undefined;
  /** Paths that other stores are not asked for. */
  readonly refused: ReadonlySet<StorePath>;
}

/** Carries out one plan: starts what the schedule says, tells what happens, and collects how it ended. */
export class Run {
  readonly built: StorePath[] = [];
  readonly failures: BuildFailure[] = [];
  readonly dependencyFailed: StorePath[] = [];
  readonly substituted: StorePath[] = [];
  /** Paths that no other store gave as promised; what needs them is neither built nor failed, but still to be planned. */
  readonly notTransferred: StorePath[] = [];
  /** What waits for such paths. */
  readonly #toPlanAnew = new Set<StorePath>();
  /** What other stores said outputs became; to be recorded once those are valid. */
  readonly realisations: Realisation[] = [];
  readonly #store: LocalStore;
  readonly #closures: Closures;
  readonly #outputs: RealisedOutputs;
  readonly #emit: (event: BuildEvent) => void;
  readonly #options: RunOptions;
  /** Those of the plan, and those that were found since. */
  readonly #jobs = new Map<StorePath, PlanJob>();
  /** Outputs that are wanted of a build besides those it was planned for. */
  readonly #alsoWanted = new Map<StorePath, Set<string>>();
  readonly #schedule: Schedule;
  readonly #executor: LocalExecutor;
  readonly #freeSpace: FreeSpace | undefined;
  readonly #abort = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #registration: RegistrationQueue;
  readonly #transfers: Transfers | undefined;
  readonly #arrived = new Map<StorePath, Arrived & { readonly job: SubstituteJob }>();
  readonly #fallback: boolean;
  readonly #logLines: number;
  readonly #memory: PeakMemory;
  readonly #rounds: number;
  readonly #postBuildHook: PostBuildHook | undefined;
  readonly #registered: Promise<void>[] = [];
  #wake: () => void = () => {};
  #fault: { readonly error: unknown } | undefined;
  #runningCount = 0;

  constructor(store: LocalStore, made: MadePlan, options: RunOptions) {
    this.#store = store;
    this.#options = options;
    this.#closures = new Closures(store);
    this.#outputs = new RealisedOutputs(store, options.secretKeys);
    this.#emit = options.events ?? (() => {});
    this.#callerSignal = options.signal;
    this.#registration = new RegistrationQueue(store);
    this.#transfers = options.substituters === undefined ? undefined : new Transfers(store, options.substituters);
    this.#fallback = options.fallback !== false;
    this.#logLines = options.logLines ?? 25;
    this.#rounds = options.rounds ?? 1;
    this.#postBuildHook = this.#makeHook();
    const processors = availableParallelism();
    this.#memory = new PeakMemory(store.stateDirectory);
    this.#schedule = new Schedule(made.plan, {
      maxJobs: Math.max(1, options.maxJobs ?? processors),
      cores: options.cores === undefined || options.cores === 0 ? processors : options.cores,
      totalCores: options.totalCores,
      memory: {
        totalBytes: options.memoryBudgetBytes ?? Math.min(totalmem(), constrainedMemory() || Number.POSITIVE_INFINITY),
        of: (job) => this.#memory.of(job),
      },
      maxFetches: options.maxFetches,
      maxSubstitutions: options.maxSubstitutions,
      keepGoing: options.keepGoing === true,
    });
    const { collection: settings } = options;
    this.#freeSpace = settings === undefined ? undefined : new FreeSpace({ store, settings, emit: this.#emit });
    this.#executor = new LocalExecutor({
      store,
      closures: this.#closures,
      registration: this.#registration,
      keepFailed: options.keepFailed === true,
      onRebuilt: options.onRebuilt,
      timeoutSeconds: options.timeoutSeconds ?? 0,
      maxSilentSeconds: options.maxSilentSeconds ?? 0,
      maxLogBytes: options.maxLogBytes ?? 0,
      maxProcesses: options.maxProcesses ?? 16_384,
      logLines: this.#logLines,
      offline: options.offline === true,
      secretKeys: options.secretKeys,
      sandbox: options.sandbox ?? true,
      allowNewPrivileges: options.allowNewPrivileges,
      maxProcessMemoryBytes: options.maxProcessMemoryBytes,
      maxMemoryBytes: options.maxMemoryBytes,
      diffHook: options.diffHook,
      callerEnvironment: process.env,
      ...(options.sandboxSupport === undefined ? {} : { support: options.sandboxSupport }),
    });
    this.#takeIn(made, made.plan.jobs);
  }

  #makeHook(): PostBuildHook | undefined {
    const { postBuildHook, asyncPostBuildHook } = this.#options;
    if (postBuildHook === undefined || postBuildHook === "") return undefined;
    return new PostBuildHook({
      program: postBuildHook,
      store: this.#store.layout.address,
      isAsync: asyncPostBuildHook === true,
      signal: this.#abort.signal,
      hurry: () => this.#executor.hurry(),
      onFailedLater: (askedAs, { error, elapsedMs }) => {
        this.built.splice(this.built.indexOf(askedAs), 1);
        this.failures.push({ drvPath: askedAs, error });
        this.#emit({ kind: "failed", drvPath: askedAs, error, elapsedMs, logTail: [] });
      },
    });
  }

  /** Note what was planned, and keep what will be made and used from being collected: all at once, since each time may cost a lock. */
  #takeIn({ realisations, found }: MadePlan, jobs: readonly PlanJob[]): void {
    this.realisations.push(...realisations);
    for (const { drvPath, output, path } of found)
      if (path !== undefined) this.#outputs.note(drvPath, new Map([[output, path]]));
    const paths = new Set<string>();
    for (const job of jobs) {
      this.#jobs.set(job.id, job);
      if (!isBuildJob(job)) continue;
      const { inputSources, outputs } = job.drv;
      for (const path of [job.drvPath, ...inputSources]) paths.add(path);
      for (const { path } of Object.values(outputs)) if (path !== "") paths.add(path);
    }
    this.#store.addTempRoots(paths);
  }

  async toEnd(): Promise<void> {
    const cancel = (): void => {
      this.#schedule.stop();
      this.#abort.abort(new Error("cancelled"));
      this.#wake();
    };
    this.#callerSignal?.addEventListener("abort", cancel, { once: true });
    if (this.#callerSignal?.aborted === true) cancel();
    try {
      if ([...this.#jobs.values()].some(({ kind }) => kind === "build")) this.#executor.warmUp();
      for (;;) {
        for (const started of this.#schedule.start()) this.#start(started);
        for (const job of this.#schedule.upcoming()) this.#prepare(job);
        if (this.#schedule.isIdle && this.#runningCount === 0) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      // Nothing more is to come; the last hook waits for its build to be registered.
      this.#executor.hurry();
      await Promise.allSettled([this.#postBuildHook?.last]);
    } finally {
      this.#callerSignal?.removeEventListener("abort", cancel);
      this.#executor.hurry();
      await Promise.allSettled(this.#registered);
      this.#dropArrived();
      this.#memory.save();
      await this.#executor.close();
      await this.#freeSpace?.stop();
    }
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  /** Do what the next build needs and the running one does not change, while that runs. */
  #prepare({ drvPath, drv, mode }: BuildJob): void {
    if (mode === "build" && !this.#outputs.mustResolve(drv)) this.#executor.prepare({ drvPath, drv });
  }

  #start({ job, cores }: StartedJob): void {
    this.#runningCount++;
    if (job.kind === "substitute") this.#startTransfer(job);
    else if (job.kind === "follow") this.#startFollow(job);
    else this.#startBuild(job, cores);
  }

  #startBuild(job: BuildJob, cores: number): void {
    this.#emit({ kind: "started", drvPath: job.drvPath, job: job.kind, why: showReason(job.why), cores });
    const lines: string[] = [];
    const emit = (event: BuildEvent): void => {
      if (event.kind === "log-line") {
        lines.push(event.line);
        if (lines.length > this.#logLines) lines.shift();
      }
      this.#emit(event);
    };
    this.#execute(job, cores, emit).then(
      (outcome) => {
        if (outcome.kind !== "unchanged" || this.#hasWanted(job)) return this.#ended(job.drvPath, outcome, lines);
        this.#runningCount--;
        this.#start({ job, cores });
      },
      (error: unknown) => {
        this.#stopFor(error);
        this.#ended(job.drvPath, { kind: "cancelled" }, lines);
      },
    );
  }

  #startFollow(job: FollowJob): void {
    this.#follow(job).then(
      ({ done, lost }) => {
        this.#loseFound(lost);
        this.#settleDone(done);
        this.#next();
      },
      (error: unknown) => {
        const { lost } = this.#schedule.finish(job.id, false);
        if (!(error instanceof CodedError)) this.#stopFor(error);
        else if (!this.#abort.signal.aborted) {
          const drvPath = this.#followed(job);
          this.failures.push({ drvPath, error });
          this.#emit({ kind: "failed", drvPath, error, elapsedMs: 0, logTail: [] });
          this.#lose(lost);
        }
        this.#next();
      },
    );
  }

  /** Find out what is to be done for a derivation that was built, and let the schedule have it. */
  async #follow(job: FollowJob): Promise<JobsSettled> {
    // Only what is registered can be read, and what that refers to is.
    await this.#registration.drained();
    const found = await followOutput(job, this.#followed(job), {
      store: this.#store,
      outputs: this.#outputs,
      derivations: this.#options.derivations,
      options: this.#options,
      refused: this.#options.refused,
    });
    this.#abort.signal.throwIfAborted();
    const { jobs, makers } = found.plan;
    for (const { kind, drvPath, why } of jobs.filter(isBuildJob)) {
      if (kind !== "build" || why.kind !== "missing-output") continue;
      const also = this.#alsoWanted.get(drvPath) ?? new Set();
      for (const output of why.outputs) also.add(output);
      this.#alsoWanted.set(drvPath, also);
    }
    const settled = this.#schedule.extend(job.id, {
      jobs,
      dependencies: makers,
      isEnough: (each) => each.kind !== "build" || this.#hasWanted(each),
    });
    this.#takeIn(found, settled.fresh);
    this.#emit({ kind: "found", drvPath: found.drvPath, from: job.drvPath, jobs: settled.fresh });
    return settled;
  }

  /** The derivation that a job follows to. */
  #followed({ drvPath, through }: FollowJob): StorePath {
    return this.#outputs.find(drvPath, through[0] as string) as StorePath;
  }

  /** Whether all outputs lie somewhere that are wanted of a build; else one with the inputs as they turned out made some of them before. */
  #hasWanted({ drvPath, drv, why }: BuildJob): boolean {
    if (isImpure(drv) || why.kind !== "missing-output") return true;
    return this.#wantedOf({ drvPath, drv, why }).every((name) => this.#outputs.find(drvPath, name) !== undefined);
  }

  #wantedOf({ drvPath, drv, why }: Pick<BuildJob, "drvPath" | "drv" | "why">): string[] {
    const planned = why.kind === "missing-output" ? why.outputs : outputNames(drv);
    return [...new Set([...planned, ...(this.#alsoWanted.get(drvPath) ?? [])])];
  }

  #startTransfer(job: SubstituteJob): void {
    const transfers = this.#transfers as Transfers;
    transfers.take(job, this.#emit, this.#abort.signal).then(
      (arrived) => {
        this.#arrived.set(job.id, { ...arrived, job });
        this.#settleDone(this.#schedule.finish(job.id, true).done);
        this.#next();
      },
      (error: unknown) => {
        const { lost } = this.#schedule.finish(job.id, false);
        if (!this.#abort.signal.aborted) this.#transferFailed(job, error, lost);
        this.#next();
      },
    );
  }

  #transferFailed(job: SubstituteJob, error: unknown, lost: JobsSettled["lost"]): void {
    if (!(error instanceof CodedError)) return this.#stopFor(error);
    this.#emit({ kind: "transfer-failed", path: job.path, error });
    // A full disk is no reason to build what could not even be unpacked.
    if (this.#fallback && error.code !== "build.disk-full") {
      this.notTransferred.push(job.path);
      for (const { id } of lost) this.#toPlanAnew.add(id);
      return;
    }
    this.#schedule.stop();
    this.failures.push({ drvPath: job.path, error: noFallback(job, error) });
    this.#lose(lost);
  }

  /** Jobs that are done now: what came from other stores is registered, in this order. */
  #settleDone(done: readonly StorePath[]): void {
    for (const id of done) {
      const arrived = this.#arrived.get(id);
      if (arrived === undefined) continue;
      this.#arrived.delete(id);
      this.#closures.add([arrived.info]);
      const { info, from, elapsedMs, locks, job } = arrived;
      this.substituted.push(info.path);
      const registered = locks === undefined ? Promise.resolve() : this.#registration.add([info]);
      this.#whenRegistered(
        registered.then(
          () => locks?.release(),
          (error: unknown) => this.#refused(arrived, error),
        ),
        () => {
          if (this.substituted.includes(job.path))
            this.#emit({ kind: "substituted", path: info.path, from, elapsedMs, sizeBytes: info.narSize });
        },
      );
    }
  }

  /**
   * What came may not become valid: it is a `.drv` file that is not right, or refers to one. It lies there until builds that are at
   * work with it have ended; everything else is planned anew.
   */
  #refused(arrived: Arrived & { readonly job: SubstituteJob }, error: unknown): void {
    const { job } = arrived;
    this.#arrived.set(job.id, arrived);
    if (!(error instanceof CodedError)) throw error;
    this.substituted.splice(this.substituted.indexOf(job.path), 1);
    this.#schedule.stop();
    this.#transferFailed(job, error, []);
  }

  /** Take away what came but cannot be made valid, since something it refers to did not come. */
  #dropArrived(): void {
    for (const { info, locks } of this.#arrived.values()) {
      if (locks === undefined) continue;
      removeTree(this.#store.placeOf(info.path));
      locks.release();
    }
    this.#arrived.clear();
  }

  /** A fault of ours: stop everything, then let the caller see it. */
  #stopFor(error: unknown): void {
    this.#fault ??= { error };
    this.#schedule.stop();
    this.#abort.abort(error);
  }

  #next(): void {
    this.#runningCount--;
    this.#wake();
  }

  /** What an impure derivation became in this run. */
  impureOutput({ drvPath, output }: OutputName): StorePath | undefined {
    const job = this.#jobs.get(drvPath);
    return job?.kind === "build" && isImpure(job.drv) ? this.#outputs.find(drvPath, output) : undefined;
  }

  async #execute(job: BuildJob, cores: number, emit: (event: BuildEvent) => void): Promise<Ended> {
    const { drvPath, drv, mode } = job;
    let resolved: Derivation | undefined;
    let place = drvPath;
    let inputClosure: StorePath[] = [];
    try {
      resolved = this.#outputs.resolve(drv);
      if (resolved !== undefined) {
        // A .drv file may be written only when what it refers to is registered.
        await this.#registration.drained();
        place = this.#store.addDerivation(resolved);
        const known = mode === "build" ? this.#knownOutputs(job, resolved) : undefined;
        if (known !== undefined) {
          this.#record(job, resolved, known);
          return { kind: "unchanged" };
        }
      }
      if (job.kind === "build") inputClosure = this.#inputClosure(resolved ?? drv);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { kind: "failed", error, elapsedMs: 0, logPath: undefined };
    }
    const request = { drvPath: place, drv: resolved ?? drv, askedAs: drvPath, inputClosure, cores, mode };
    let outcome = await this.#executor.execute(request, emit, this.#abort.signal);
    if ((await this.#freeSpace?.madeRoomFor(outcome)) === true)
      outcome = await this.#executor.execute(request, emit, this.#abort.signal);
    if (outcome.kind === "already-valid") {
      this.#record(job, resolved, outcome.outputs);
      return outcome;
    }
    if (outcome.kind !== "built") return outcome;
    this.#memory.note(drv, outcome.peakMemoryBytes);
    const differing = isImpure(drv) ? undefined : await this.#compareRounds(request, outcome, emit);
    if (differing !== undefined) return differing;
    const outputs = new Map([...outcome.outputs].map(([name, info]) => [name, info.path]));
    let told = outcome;
    if (mode === "build") {
      this.#outputs.note(drvPath, outputs);
      told = { ...outcome, registered: outcome.registered.then(() => this.#record(job, resolved, outputs)) };
    }
    return (await this.#tellHook(request, told, emit)) ?? told;
  }

  /** Tell the machine's hook of a build; how that ended when the hook failed. */
  async #tellHook(
    request: BuildRequest,
    outcome: BuildOutcome & { kind: "built" },
    emit: (event: BuildEvent) => void,
  ): Promise<BuildOutcome | undefined> {
    const hook = this.#postBuildHook;
    if (hook === undefined) return undefined;
    const ended = await hook.tell(request, outcome, emit);
    this.#whenRegistered(hook.last, () => {});
    return ended;
  }

  /** Build again as often as was asked for; how that ended, unless it always gave the same. */
  async #compareRounds(
    request: BuildRequest,
    first: BuildOutcome & { kind: "built" },
    emit: (event: BuildEvent) => void,
  ): Promise<BuildOutcome | undefined> {
    for (let round = 2; round <= this.#rounds; round++) {
      // The outputs are locked until they are registered.
      this.#executor.hurry();
      await first.registered;
      emit({
        kind: "notice",
        drvPath: request.askedAs ?? request.drvPath,
        message: `round ${round} of ${this.#rounds}`,
      });
      const again = await this.#executor.execute({ ...request, mode: "compare" }, emit, this.#abort.signal);
      if (again.kind !== "built") return again;
    }
    return undefined;
  }

  /** The wanted outputs of a job, when an earlier build with the same inputs made all of them. */
  #knownOutputs(job: BuildJob, resolved: Derivation): Map<string, StorePath> | undefined {
    const known = new Map<string, StorePath>();
    for (const name of this.#wantedOf(job)) {
      const path = this.#store.findOutput(resolved, name);
      if (path === undefined) return undefined;
      this.#store.addTempRoot(path);
      if (!this.#closures.has(path)) return undefined;
      known.set(name, path);
    }
    return known;
  }

  /** Let others know what outputs became whose paths nobody could tell beforehand. They are valid. */
  #record({ drvPath, drv }: BuildJob, resolved: Derivation | undefined, outputs: ReadonlyMap<string, StorePath>): void {
    this.#outputs.note(drvPath, outputs);
    if (!this.#outputs.isRecorded(drv)) return;
    this.#store.addRealisations(this.#outputs.realisations(drv, resolved, outputs));
  }

  #ended(drvPath: StorePath, outcome: Ended, logTail: readonly string[]): void {
    const succeeded = ["built", "already-valid", "unchanged"].includes(outcome.kind);
    const { done, lost } = this.#schedule.finish(drvPath, succeeded);
    if (outcome.kind === "built") this.#settle(drvPath, outcome);
    else if (outcome.kind === "already-valid" || outcome.kind === "unchanged" || outcome.kind === "cancelled")
      this.#emit({ kind: outcome.kind, drvPath });
    else if (outcome.kind === "failed") {
      this.failures.push({ drvPath, error: outcome.error });
      this.#emit({ kind: "failed", drvPath, error: outcome.error, elapsedMs: outcome.elapsedMs, logTail });
      this.#lose(lost);
      if (lost.length > 0) this.#executor.dropPrepared();
    }
    this.#settleDone(done);
    this.#next();
  }

  /** What was found may need what no other store gave: then it did not fail, but is planned anew as well. */
  #loseFound(lost: JobsSettled["lost"]): void {
    const isToPlanAnew = ({ because }: JobsSettled["lost"][number]): boolean =>
      this.#toPlanAnew.has(because) || this.notTransferred.includes(because);
    for (const { id } of lost.filter(isToPlanAnew)) this.#toPlanAnew.add(id);
    this.#lose(lost.filter((each) => !isToPlanAnew(each)));
  }

  #lose(lost: JobsSettled["lost"]): void {
    for (const { id, because } of lost) {
      if (this.#jobs.get(id)?.kind === "follow") continue;
      const cause = this.#jobs.get(because);
      this.dependencyFailed.push(id);
      this.#emit({
        kind: "dependency-failed",
        drvPath: id,
        because: cause?.kind === "follow" ? this.#followed(cause) : because,
      });
    }
  }

  /** The jobs that wait go on at once; success is told when it is on the disk. */
  #settle(drvPath: StorePath, outcome: BuildOutcome & { kind: "built" }): void {
    this.built.push(drvPath);
    const registered = outcome.registered.catch((error: unknown) => {
      // What it was built with was refused a moment ago: both are planned anew.
      const isStale = error instanceof CodedError && error.code === "store.reference-not-valid";
      if (!isStale || this.notTransferred.length === 0) throw error;
      this.built.splice(this.built.indexOf(drvPath), 1);
      return "stale";
    });
    this.#whenRegistered(registered, (state) => {
      if (state === "stale") return;
      const infos = [...outcome.outputs.values()];
      const sizeBytes = infos.reduce((sum, info) => sum + info.narSize, 0);
      this.#emit({
        kind: "built",
        drvPath,
        outputs: infos.map((info) => info.path),
        elapsedMs: outcome.elapsedMs,
        sizeBytes,
      });
    });
  }

  #whenRegistered<T>(registered: Promise<T>, tell: (result: T) => void): void {
    this.#registered.push(
      registered.then(tell, (error: unknown) => {
        this.#stopFor(error);
        this.#wake();
      }),
    );
  }

  /** Everything a builder may see: the closure of its sources and of the wanted outputs of its input derivations. */
  #inputClosure(drv: Derivation): StorePath[] {
    const inputs: StorePath[] = [...drv.inputSources];
    for (const [inputPath, names] of drv.inputDerivations) {
      for (const name of names) inputs.push(this.#outputs.find(inputPath, name) as StorePath);
    }
    for (const path of inputs) {
      // Before the look, so that no collection can come between.
      this.#store.addTempRoot(path);
      if (!this.#closures.has(path)) {
        throw new CodedError(
          "build.missing-input",
          `Cannot build "${drv.name}": its input "${path}" is not in the store`,
          { exitCode: 100 },
        );
      }
    }
    return this.#closures.closure(inputs);
  }
}

/** The failure of a transfer when nothing else is to be tried. */
function noFallback({ path }: SubstituteJob, cause: CodedError): CodedError {
  if (cause.code === "build.disk-full") return cause;
  return new CodedError("build.no-substitute", `Cannot get "${path}": no store gave it as promised`, {
    hint: "Leave --no-fallback away to build it here.",
    exitCode: 1,
    cause,
  });
}
