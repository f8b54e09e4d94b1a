import { CodedError } from "../../base/index.ts";
import {
  type BuildEvent,
  type BuildPlan,
  type BuildTarget,
  exitCodeOf,
  outputId,
  type OutputName,
  type SandboxMode,
} from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { CollectionSettings, PathInfo, SecretKey, StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { SandboxSupport } from "../sandbox/index.ts";
import type { Substituters } from "../substitute/index.ts";
import { type MadePlan, makePlan, type MakePlanOptions } from "./make-plan.ts";
import type { Run, RunOptions } from "./run.ts";

/** How to build. Every field has a default. */
export interface BuildOptions {
  /** Builds at once. Default: the number of processors. */
  readonly maxJobs?: number | undefined;
  /** Processors one build may use (`NIX_BUILD_CORES`). Default 0: all. */
  readonly cores?: number | undefined;
  /** Processors all builds together may use. Default: no limit besides `maxJobs` and `cores`. */
  readonly totalCores?: number | undefined;
  /** Memory that builds at once may need together, as far as it is known, in bytes. Default: that of the machine. */
  readonly memoryBudgetBytes?: number | undefined;
  /** Downloads at once. Default 6. */
  readonly maxFetches?: number | undefined;
  /** Stores that outputs may be taken from. Default none. */
  readonly substituters?: Substituters | undefined;
  /** Transfers from other stores at once. Default 16. */
  readonly maxSubstitutions?: number | undefined;
  /** Build what other stores offered but did not give. Default true; else it is a failure. */
  readonly fallback?: boolean | undefined;
  /** What is built is signed with these. Default none. */
  readonly secretKeys?: readonly SecretKey[] | undefined;
  /** Download nothing. Default false. */
  readonly offline?: boolean | undefined;
  /** How to collect the store when its disk runs out of space while we build. Default: not at all. */
  readonly collection?: CollectionSettings | undefined;
  readonly keepFailed?: boolean | undefined;
  readonly keepGoing?: boolean | undefined;
  /** Build the targets although they are valid, and compare. */
  readonly rebuild?: boolean | undefined;
  /** With `rebuild`: told of each output that was made again and is as it was registered, and where it lies for the moment. */
  readonly onRebuilt?: ((output: PathInfo, place: string) => Promise<void>) | undefined;
  /** How often each build is made, to compare the results. Default 1. */
  readonly rounds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly maxSilentSeconds?: number | undefined;
  readonly maxLogBytes?: number | undefined;
  /** Processes and threads of one build. Default 16,384: far more than builders need, far fewer than hurt the machine. */
  readonly maxProcesses?: number | undefined;
  /** Lines of the log to show of a failed build. Default 25. */
  readonly logLines?: number | undefined;
  /** Default true. */
  readonly sandbox?: SandboxMode | undefined;
  /** As in `BuildSettings`; the empty text is none. */
  readonly postBuildHook?: string | undefined;
  readonly asyncPostBuildHook?: boolean | undefined;
  readonly diffHook?: string | undefined;
  readonly allowNewPrivileges?: boolean | undefined;
  readonly impureDerivations?: boolean | undefined;
  readonly maxProcessMemoryBytes?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
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
  /** Targets that were outputs of outputs, and the derivations whose outputs they turned out to be. */
  readonly followed: ReadonlyMap<BuildTarget, BuildTarget>;
  /** Where wanted outputs lie that only this run knows of: those of impure derivations, by {@link outputId}. */
  readonly impure: ReadonlyMap<string, StorePath>;
  readonly built: readonly StorePath[];
  /** Objects that came from other stores. */
  readonly substituted: readonly StorePath[];
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
  /** Store objects to have that only other stores can give. Default none. */
  readonly paths?: readonly StorePath[];
  readonly options?: BuildOptions;
}

/**
 * Make the targets valid: plan, then build and fetch in parallel.
 *
 * Failures are in the report. What another store offered and did not give is planned anew without it. On `signal` every
 * builder dies, what is half done is removed and nothing of it is registered.
 *
 * @throws {CodedError} for targets that cannot be planned: those of `planSteps`, and those of reading derivations.
 */
export async function buildPaths({
  store,
  targets,
  derivations: given,
  paths = [],
  options = {},
}: BuildPathsOptions): Promise<BuildReport> {
  const started = performance.now();
  for (const target of targets) store.addTempRoot(target.drvPath);
  const report = { built: [], substituted: [], failures: [], dependencyFailed: [] } as Collected;
  const refused = new Set<StorePath>();
  const impure = new Map<string, StorePath>();
  let plan: BuildPlan;
  let last: Run | undefined;
  for (;;) {
    const made = await makePlan({ store, targets, derivations: given, paths, options, refused });
    plan = made.plan;
    options.events?.({ kind: "plan", plan });
    if (options.dryRun === true) break;
    if (plan.jobs.length === 0) {
      store.addRealisations(made.realisations);
      break;
    }
    const run = await runPlan(store, made, { ...options, derivations: given, refused });
    last = run;
    store.addRealisations(run.realisations.filter(({ outPath }) => store.isValid(outPath)));
    report.built.push(...run.built);
    report.substituted.push(...run.substituted);
    report.failures.push(...run.failures);
    report.dependencyFailed.push(...run.dependencyFailed);
    if (run.notTransferred.length === 0 || options.signal?.aborted === true) break;
    if (run.failures.length > 0 && options.keepGoing !== true) break;
    for (const path of run.notTransferred) refused.add(path);
  }
  // What the report calls built must still be there after a power cut.
  await store.flushLater();
  const cancelled = options.signal?.aborted === true;
  const findImpureOutput = (output: OutputName): StorePath | undefined => last?.impureOutput(output);
  const hasNested = targets.some(({ through }) => through !== undefined);
  const { wanted, followed } =
    hasNested && options.dryRun !== true
      ? await planAfterwards(plan, { store, targets, derivations: given, findImpureOutput })
      : plan;
  for (const each of wanted) {
    const path = findImpureOutput(each);
    if (path !== undefined) impure.set(outputId(each), path);
  }
  return {
    plan,
    followed,
    outputs: wanted.flatMap(
      ({ drvPath, output, path }) =>
        path ??
        impure.get(outputId({ drvPath, output })) ??
        store.findOutput(given?.get(drvPath) ?? store.readDerivation(drvPath), output) ??
        [],
    ),
    impure,
    ...report,
    cancelled,
    exitCode: cancelled ? 130 : exitCodeOf(report.failures.map((failure) => failure.error)),
    elapsedMs: performance.now() - started,
  };
}

/** The plan as it is when all that can be done is: which derivations outputs were shows only now. */
async function planAfterwards(
  before: BuildPlan,
  options: Pick<MakePlanOptions, "store" | "targets" | "derivations" | "findImpureOutput">,
): Promise<BuildPlan> {
  try {
    return (await makePlan({ ...options, paths: [], options: { impureDerivations: true }, refused: new Set() })).plan;
  } catch (error) {
    // What is wrong with a derivation that was built stands in the report.
    if (!(error instanceof CodedError)) throw error;
    return before;
  }
}

interface Collected {
  readonly built: StorePath[];
  readonly substituted: StorePath[];
  readonly failures: BuildFailure[];
  readonly dependencyFailed: StorePath[];
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

/** The machinery of running is loaded only when there is something to run: most builds find everything done. */
async function runPlan(store: LocalStore, made: MadePlan, options: RunOptions): Promise<Run> {
  store.checkMutable();
  const { Run } = await import("./run.ts");
  const run = new Run(store, made, options);
  await run.toEnd();
  return run;
}
