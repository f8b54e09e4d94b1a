import { CodedError } from "../../core/base/index.ts";
import type { BuildEvent, BuildTarget } from "../../core/build/index.ts";
import { type BuildReport, buildPaths, reportError } from "../../core/host/builder/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { readSigningKeys } from "../../core/host/signing/index.ts";
import type { StorePath } from "../../core/store/index.ts";
import type { CliContext } from "./context.ts";
import type { BuildFlags } from "./flags.ts";
import { buildSettings } from "./build-settings.ts";
import { collectionSettings } from "./collection-settings.ts";
import { checkValid } from "./resolve.ts";
import { openSubstituteStores } from "./substitute.ts";
import { type BuildProgress, makeBuildProgress } from "./ui/build-progress.ts";

export interface RealiseOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: Omit<BuildFlags, "store" | "locked">;
  /** Only plan; see the report's `plan`. Default false. */
  readonly dryRun?: boolean;
  /** Hears of what happens, in place of people. */
  readonly events?: (event: BuildEvent) => void;
  /** Hears of it besides. */
  readonly alsoTell?: (event: BuildEvent) => void;
  /** Store objects to have besides; only other stores can give them. Default none. */
  readonly paths?: readonly StorePath[];
}

/**
 * Make derivation outputs valid, showing people what happens.
 *
 * @throws {CodedError} of the first failure, with the exit code of the whole run (see `EXIT_CODES` of core/build); the log's
 *   last lines were shown when it happened. `cli.interrupted` when the user interrupted it.
 */
export async function realise(targets: readonly BuildTarget[], options: RealiseOptions): Promise<BuildReport> {
  const report = await tryRealise(targets, options);
  const error = reportError(report);
  if (error === undefined) return report;
  // Details and hints were shown with each failure, when it happened.
  const others = report.failures.slice(1).map((failure) => failure.error.message);
  throw new CodedError(error.code, error.message, { details: others, exitCode: report.exitCode });
}

/**
 * As {@link realise}, and failures are in the report.
 *
 * @throws {CodedError} `cli.interrupted`
 */
export async function tryRealise(targets: readonly BuildTarget[], options: RealiseOptions): Promise<BuildReport> {
  const { context, store, flags, dryRun = false, paths = [] } = options;
  const { events } = options;
  const progress = events === undefined ? makeProgress(options) : { event: events, end: () => {} };
  const warn = (message: string): void => progress.event({ kind: "warning", message });
  const substituters = await openSubstituteStores(context, flags, warn);
  let report: BuildReport;
  try {
    if (substituters === undefined) for (const path of paths) checkValid(path, store);
    report = await buildPaths({
      store,
      targets,
      paths,
      options: {
        substituters,
        fallback: flags.fallback,
        offline: flags.offline,
        secretKeys: readSigningKeys(),
        maxJobs: flags.maxJobs,
        cores: flags.cores,
        keepFailed: flags.keepFailed,
        keepGoing: flags.keepGoing,
        rebuild: flags.rebuild,
        rounds: flags.rounds,
        timeoutSeconds: flags.timeout,
        maxSilentSeconds: flags.maxSilentTime,
        maxLogBytes: flags.maxBuildLogSize,
        logLines: flags.logLines,
        ...buildSettings(flags),
        collection: collectionSettings(flags),
        events: (event) => {
          options.alsoTell?.(event);
          progress.event(event);
        },
        signal: context.signal,
        dryRun,
      },
    });
  } finally {
    await substituters?.close();
  }
  progress.end(report);
  context.signal.throwIfAborted();
  return report;
}

function makeProgress({ context, store, flags, dryRun = false }: RealiseOptions): BuildProgress {
  const { terminal, process } = context;
  return makeBuildProgress({
    write: (text) => void process.stderr.write(text),
    interactive: terminal.interactive,
    color: terminal.color,
    columns: terminal.columns,
    quiet: flags.quiet,
    plan: !dryRun,
    logs: flags.verbose,
    logDirectory: store.logDirectory,
  });
}
