import type { CodedError } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import type { PathInfo, StorePath } from "../store/index.ts";
import type { BuildEvent } from "./events.ts";

/** One build action with everything an executor may look at. */
export interface BuildRequest {
  readonly drvPath: StorePath;
  /** Without inputs whose paths are not known: it is resolved. */
  readonly drv: Derivation;
  /** The derivation as people know it, before it was resolved: events and the log are about this one. Default `drvPath`. */
  readonly askedAs?: StorePath | undefined;
  /** Every store object the builder may see: the closure of its inputs, references first. All are present. */
  readonly inputClosure: readonly StorePath[];
  /** What the builder is told as `NIX_BUILD_CORES`; at least 1. */
  readonly cores: number;
  /**
   * `build` makes the missing outputs; `compare` runs the builder although its outputs are valid and compares the
   * results with them, byte by byte.
   */
  readonly mode: "build" | "compare";
}

/** How one build action ended. Failures are values; only a fault of ours is thrown. */
export type BuildOutcome =
  | {
      readonly kind: "built";
      /** What was made, by output name. */
      readonly outputs: ReadonlyMap<string, PathInfo>;
      readonly elapsedMs: number;
      readonly logPath: string | undefined;
      /** The most memory it used, where that was counted. */
      readonly peakMemoryBytes?: number | undefined;
      /** Fulfilled when the outputs are durable and registered. Builds that need them may begin before. */
      readonly registered: Promise<void>;
    }
  /** Somebody else made the outputs while we waited for their lock. */
  | { readonly kind: "already-valid"; readonly outputs: ReadonlyMap<string, StorePath> }
  | {
      readonly kind: "failed";
      readonly error: CodedError;
      readonly elapsedMs: number;
      readonly logPath: string | undefined;
    }
  | { readonly kind: "cancelled" };

/**
 * Something that can carry out build actions: the sandbox of this machine, or a remote execution service.
 *
 * `execute` may be called several times at once. It reports what happens through `emit`, and on `signal` it ends soon
 * with `cancelled` and leaves nothing behind. Outputs it names as built are complete and in their place.
 */
export interface Executor {
  execute(request: BuildRequest, emit: (event: BuildEvent) => void, signal: AbortSignal): Promise<BuildOutcome>;
}
