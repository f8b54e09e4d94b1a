import { CodedError } from "../../base/index.ts";
import { type BuildEvent, type BuildPlan, type BuildTarget, exitCodeOf, planBuild } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { SandboxSupport } from "../sandbox/index.ts";

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
  /** Derivations that need not be in the store: ones that somebody sent to be built. */
  readonly derivations?: ReadonlyMap<StorePath, Derivation> | undefined;
  readonly options?: BuildOptions;
}

/**
 * Make the targets valid: plan, then build and fetch in parallel.
 *
 * Failures are in the report. On `signal` every builder dies, what is half done is removed and nothing of it is registered.
 *
 * @throws {CodedError} for targets that cannot be planned: `build.no-such-output`, `build.unknown-output-path`, and those of reading derivations.
 */
export async function buildPaths({
  store,
  targets,
  derivations: given,
  options = {},
}: BuildPathsOptions): Promise<BuildReport> {
  const started = performance.now();
  for (const target of targets) store.addTempRoot(target.drvPath);
  const derivations = new Map<StorePath, Derivation>(given);
  const plan = planBuild({
    targets,
    rebuild: options.rebuild === true,
    isValid(path) {
      // What is valid now has to stay so until the run is over: first a root, then the look.
      store.addTempRoot(path);
      return store.isValid(path);
    },
    readDerivation(drvPath) {
      const drv = derivations.get(drvPath) ?? store.readDerivation(drvPath);
      derivations.set(drvPath, drv);
      return drv;
    },
  });
  options.events?.({ kind: "plan", plan });
  const run = options.dryRun === true || plan.jobs.length === 0 ? NOTHING_RUN : await runPlan(store, plan, options);
  // What the report calls built must still be there after a power cut.
  await store.flushLater();
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
  if (report.cancelled)
    return new CodedError("build.cancelled", "Cannot finish the build: it was cancelled", { exitCode: 130 });
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

const NOTHING_RUN = { built: [], failures: [], dependencyFailed: [] } as const;

/** The machinery of running is loaded only when there is something to run: most builds find everything done. */
async function runPlan(
  store: LocalStore,
  plan: BuildPlan,
  options: BuildOptions,
): Promise<Pick<BuildReport, "built" | "failures" | "dependencyFailed">> {
  const { Run } = await import("./run.ts");
  const run = new Run(store, plan, options);
  await run.toEnd();
  return run;
}
