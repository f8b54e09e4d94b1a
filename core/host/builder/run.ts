import { availableParallelism } from "node:os";
import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildOutcome,
  type BuildPlan,
  Schedule,
  showReason,
  type StartedJob,
} from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { BuildFailure, BuildOptions } from "./build-paths.ts";
import { Closures } from "./closures.ts";
import { LocalExecutor } from "./local-executor.ts";

/** Carries out one plan: starts what the schedule says, tells what happens, and collects how it ended. */
export class Run {
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

  constructor(store: LocalStore, plan: BuildPlan, options: BuildOptions) {
    this.#store = store;
    this.#closures = new Closures(store);
    this.#emit = options.events ?? (() => {});
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
      closures: this.#closures,
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
    let inputClosure: StorePath[] = [];
    try {
      if (job.kind === "build") inputClosure = this.#inputClosure(drv);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { kind: "failed", error, elapsedMs: 0, logPath: undefined };
    }
    return this.#executor.execute({ drvPath, drv, inputClosure, cores, mode }, emit, this.#abort.signal);
  }

  #ended(drvPath: StorePath, outcome: BuildOutcome, logTail: readonly string[]): void {
    this.#runningCount--;
    const succeeded = outcome.kind === "built" || outcome.kind === "already-valid";
    const lost = this.#schedule.finish(drvPath, succeeded);
    if (outcome.kind === "built") this.#settle(drvPath, outcome);
    else if (outcome.kind === "already-valid") this.#emit({ kind: "already-valid", drvPath });
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
        this.#emit({
          kind: "built",
          drvPath,
          outputs: outcome.outputs.map((info) => info.path),
          elapsedMs: outcome.elapsedMs,
          sizeBytes,
        });
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
