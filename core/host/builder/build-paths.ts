import { availableParallelism } from "node:os";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent, type BuildOutcome, type BuildPlan, type BuildTarget, exitCodeOf, planBuild, Schedule, showReason, type StartedJob,
} from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { SandboxSupport } from "../sandbox/index.ts";
import { Closures } from "./closures.ts";
import { LocalExecutor } from "./local-executor.ts";

/** How to build. Every field has a default. */
export interface BuildOptions {
  /** Builds at once. Default: the number of processors. */
  readonly maxJobs?: number | undefined;
  /** Processors one build may use (`NIX_BUILD_CORES`). Default 0: all. */
  readonly cores?: number | undefined;
  /** Processors all builds together may use. Default: no limit besides `maxJobs` and `cores`. */
  readonly totalCores?: number | undefined;
  /** Downloads at once. Default 6. */
  readonly maxFetches?: number | undefined;
  readonly keepFailed?: boolean | undefined;
  readonly keepGoing?: boolean | undefined;
  /** Build the targets although they are valid, and compare. */
  readonly rebuild?: boolean | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly maxSilentSeconds?: number | undefined;
  readonly maxLogBytes?: number | undefined;
  /** Default true. */
  readonly sandbox?: boolean | undefined;
  readonly events?: ((event: BuildEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Only make the plan. */
  readonly dryRun?: boolean | undefined;
  /** What is known about isolation on this machine. Default: look. */
  readonly sandboxSupport?: (() => SandboxSupport) | undefined;
}

export interface BuildFailure {
  readonly drvPath: StorePath;
  readonly error: CodedError;
}

export interface BuildReport {
  readonly plan: BuildPlan;
  /** Wanted output paths in the order of the targets; all are valid when `exitCode` is 0. */
  readonly outputs: readonly StorePath[];
  readonly built: readonly StorePath[];
  readonly failures: readonly BuildFailure[];
  /** Not started because something they need failed. */
  readonly dependencyFailed: readonly StorePath[];
  readonly cancelled: boolean;
  /** 0, or as rows 100, 101, 102, 104, or-ed when there are several; 130 when cancelled. */
  readonly exitCode: number;
  readonly elapsedMs: number;
}

export interface BuildPathsOptions {
  readonly store: LocalStore;
  readonly targets: readonly BuildTarget[];
  readonly options?: BuildOptions;
}

/**
 * Make the targets valid: plan, then build and fetch in parallel.
 *
 * Failures are in the report. On `signal` every builder dies, what is half done is removed and nothing of it is registered.
 *
 * @throws {CodedError} for targets that cannot be planned: `build.no-such-output`, `build.unknown-output-path`, and those of reading derivations.
 */
export async function buildPaths({ store, targets, options = {} }: BuildPathsOptions): Promise<BuildReport> {
  const started = performance.now();
  const emit = options.events ?? (() => {});
  const closures = new Closures(store);
  for (const target of targets) store.addTempRoot(target.drvPath);
  const derivations = new Map<StorePath, Derivation>();
  const plan = planBuild({
    targets,
    rebuild: options.rebuild === true,
    isValid: (path) => store.isValid(path),
    readDerivation(drvPath) {
      const drv = derivations.get(drvPath) ?? store.readDerivation(drvPath);
      derivations.set(drvPath, drv);
      return drv;
    },
  });
  emit({ kind: "plan", plan });
  // What is valid now has to stay so until the run is over.
  for (const path of plan.wanted) store.addTempRoot(path);
  const run = new Run(store, plan, closures, options, emit);
  if (options.dryRun !== true && plan.jobs.length > 0) await run.toEnd();
  const cancelled = options.signal?.aborted === true;
  return {
    plan,
    outputs: plan.wanted,
    built: run.built,
    failures: run.failures,
    dependencyFailed: run.dependencyFailed,
    cancelled,
    exitCode: cancelled ? 130 : exitCodeOf(run.failures.map((failure) => failure.error)),
    elapsedMs: performance.now() - started,
  };
}

/** One error for a report with failures, to be thrown by callers that need everything; `undefined` when all went well. */
export function reportError(report: BuildReport): CodedError | undefined {
  const [first] = report.failures;
  if (report.cancelled) return new CodedError("build.cancelled", "Cannot finish the build: it was cancelled", { exitCode: 130 });
  if (first === undefined) return undefined;
  const { error } = first;
  const others = report.failures.slice(1).map((failure) => failure.error.message);
  return new CodedError(error.code, error.message, {
    hint: error.hint,
    cause: error.cause,
    details: [...(error.details ?? []), ...others],
    exitCode: report.exitCode,
  });
}

class Run {
  readonly built: StorePath[] = [];
  readonly failures: BuildFailure[] = [];
  readonly dependencyFailed: StorePath[] = [];
  readonly #store: LocalStore;
  readonly #closures: Closures;
  readonly #emit: (event: BuildEvent) => void;
  readonly #schedule: Schedule;
  readonly #executor: LocalExecutor;
  readonly #abort = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #registered: Promise<void>[] = [];
  #wake: () => void = () => {};
  #fault: { readonly error: unknown } | undefined;
  #runningCount = 0;

  constructor(store: LocalStore, plan: BuildPlan, closures: Closures, options: BuildOptions, emit: (event: BuildEvent) => void) {
    this.#store = store;
    this.#closures = closures;
    this.#emit = emit;
    this.#callerSignal = options.signal;
    const processors = availableParallelism();
    this.#schedule = new Schedule(plan, {
      maxJobs: Math.max(1, options.maxJobs ?? processors),
      cores: options.cores === undefined || options.cores === 0 ? processors : options.cores,
      totalCores: options.totalCores,
      maxFetches: options.maxFetches,
      keepGoing: options.keepGoing === true,
    });
    this.#executor = new LocalExecutor({
      store,
      closures,
      keepFailed: options.keepFailed === true,
      timeoutSeconds: options.timeoutSeconds ?? 0,
      maxSilentSeconds: options.maxSilentSeconds ?? 0,
      maxLogBytes: options.maxLogBytes ?? 0,
      sandbox: options.sandbox !== false,
      callerEnvironment: process.env,
      ...(options.sandboxSupport === undefined ? {} : { support: options.sandboxSupport }),
    });
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
      for (;;) {
        for (const started of this.#schedule.start()) this.#start(started);
        if (this.#schedule.isIdle && this.#runningCount === 0) break;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#callerSignal?.removeEventListener("abort", cancel);
      this.#executor.hurry();
      await Promise.allSettled(this.#registered);
      await this.#executor.close();
    }
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  #start({ job, cores }: StartedJob): void {
    this.#runningCount++;
    this.#emit({ kind: "started", drvPath: job.drvPath, job: job.kind, why: showReason(job.why), cores });
    const lines: string[] = [];
    const emit = (event: BuildEvent): void => {
      if (event.kind === "log-line") {
        lines.push(event.line);
        if (lines.length > 25) lines.shift();
      }
      this.#emit(event);
    };
    this.#execute({ job, cores }, emit).then(
      (outcome) => this.#ended(job.drvPath, outcome, lines),
      (error: unknown) => {
        // A fault of ours: stop everything, then let the caller see it.
        this.#fault ??= { error };
        this.#schedule.stop();
        this.#abort.abort(error);
        this.#ended(job.drvPath, { kind: "cancelled" }, lines);
      },
    );
  }

  async #execute({ job, cores }: StartedJob, emit: (event: BuildEvent) => void): Promise<BuildOutcome> {
    const { drvPath, drv, mode } = job;
    const inputClosure = job.kind === "fetch" ? [] : this.#inputClosure(drv);
    return this.#executor.execute({ drvPath, drv, inputClosure, cores, mode }, emit, this.#abort.signal);
  }

  #ended(drvPath: StorePath, outcome: BuildOutcome, logTail: readonly string[]): void {
    this.#runningCount--;
    const succeeded = outcome.kind === "built" || outcome.kind === "already-valid";
    const lost = this.#schedule.finish(drvPath, succeeded);
    if (outcome.kind === "built") this.#settle(drvPath, outcome);
    else if (outcome.kind === "cancelled") this.#emit({ kind: "cancelled", drvPath });
    else if (outcome.kind === "failed") {
      this.failures.push({ drvPath, error: outcome.error });
      this.#emit({ kind: "failed", drvPath, error: outcome.error, elapsedMs: outcome.elapsedMs, logTail });
      for (const each of lost) {
        this.dependencyFailed.push(each.drvPath);
        this.#emit({ kind: "dependency-failed", ...each });
      }
    }
    this.#wake();
  }

  /** The jobs that wait go on at once; success is told when it is on the disk. */
  #settle(drvPath: StorePath, outcome: BuildOutcome & { kind: "built" }): void {
    this.built.push(drvPath);
    const told = outcome.registered.then(
      () => {
        const sizeBytes = outcome.outputs.reduce((sum, info) => sum + info.narSize, 0);
        this.#emit({ kind: "built", drvPath, outputs: outcome.outputs.map((info) => info.path), elapsedMs: outcome.elapsedMs, sizeBytes });
      },
      (error: unknown) => {
        this.#fault ??= { error };
        this.#schedule.stop();
        this.#abort.abort(error);
        this.#wake();
      },
    );
    this.#registered.push(told);
  }

  /** Everything a builder may see: the closure of its sources and of the wanted outputs of its input derivations. */
  #inputClosure(drv: Derivation): StorePath[] {
    const inputs: StorePath[] = [...drv.inputSources];
    for (const [inputPath, names] of drv.inputDerivations) {
      const input = this.#store.readDerivation(inputPath);
      for (const name of names) inputs.push(input.outputs[name]?.path as StorePath);
    }
    for (const path of inputs) {
      if (!this.#closures.has(path)) {
        throw new CodedError("build.missing-input", `Cannot build "${drv.name}": its input "${path}" is not in the store`, { exitCode: 100 });
      }
      this.#store.addTempRoot(path);
    }
    return this.#closures.closure(inputs);
  }
}
