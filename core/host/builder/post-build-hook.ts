import { CodedError } from "../../base/index.ts";
import { type BuildEvent, type BuildOutcome, type BuildRequest, EXIT_CODES, shortName } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import { runHook } from "./hooks.ts";

type Built = BuildOutcome & { readonly kind: "built" };
type HookFailed = BuildOutcome & { readonly kind: "failed" };
type Emit = (event: BuildEvent) => void;

export interface PostBuildHookOptions {
  readonly program: string;
  /** The directory the store lies below, or its address: `FLOE_STORE` of the hook, which passes it to `--store`. */
  readonly store: string;
  /** Whether builds go on without waiting for the hook. */
  readonly isAsync: boolean;
  /** Ends a hook that runs. */
  readonly signal: AbortSignal;
  /** Called where a build waits for its registration. */
  readonly hurry: () => void;
  /** Takes the failure of a hook that nothing waited for; of the derivation as it was asked for. */
  readonly onFailedLater: (askedAs: StorePath, failed: HookFailed) => void;
}

/**
 * Tells the hook of this machine of each build: `DRV_PATH`, and in `OUT_PATHS` the outputs, all valid by then, separated by spaces.
 *
 * Source: Nix manual, `post-build-hook`.
 */
export class PostBuildHook {
  readonly #options: PostBuildHookOptions;
  /** Hooks that nothing waits for run one after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: PostBuildHookOptions) {
    this.#options = options;
  }

  /** The end of all hooks that nothing waited for; rejected where one of them could not be told of its build. */
  get last(): Promise<void> {
    return this.#last;
  }

  /**
   * Tell of a build. What needs the build waits for the hook, unless it is async: then its failure is told at the end of the run.
   *
   * @returns How the build ended when its hook did not end well: `build.hook-failed`, with the outputs still valid, or cancelled.
   */
  async tell(request: BuildRequest, built: Built, emit: Emit): Promise<BuildOutcome | undefined> {
    const { isAsync, hurry, onFailedLater } = this.#options;
    if (!isAsync) {
      hurry();
      return this.#run(request, built, emit);
    }
    this.#last = this.#last.then(async () => {
      // What could not be registered is told by who waits for that.
      if ((await Promise.allSettled([built.registered]))[0].status === "rejected") return;
      const ended = await this.#run(request, built, emit);
      if (ended?.kind === "failed") onFailedLater(request.askedAs ?? request.drvPath, ended);
    });
    return undefined;
  }

  async #run(
    { drvPath, askedAs = drvPath }: BuildRequest,
    { outputs, registered, elapsedMs, logPath }: Built,
    emit: Emit,
  ): Promise<BuildOutcome | undefined> {
    await registered;
    const { program, store, signal } = this.#options;
    const paths = [...outputs.values()].map(({ path }) => path);
    try {
      const ending = await runHook({
        program,
        environment: { DRV_PATH: drvPath, OUT_PATHS: paths.join(" "), FLOE_STORE: store },
        tell: (message) => emit({ kind: "notice", drvPath: askedAs, message }),
        signal,
      });
      return ending === undefined
        ? undefined
        : { kind: "failed", error: hookFailed(drvPath, program, ending), elapsedMs, logPath };
    } catch (error) {
      if (signal.aborted) return { kind: "cancelled" };
      throw error;
    }
  }
}

function hookFailed(drvPath: StorePath, program: string, ending: string): CodedError {
  return new CodedError(
    "build.hook-failed",
    `Cannot go on after building "${shortName(drvPath)}": the hook "${program}" ${ending}`,
    {
      hint: "What was built is there; the setting postBuildHook names the program.",
      exitCode: EXIT_CODES.buildFailed,
    },
  );
}
