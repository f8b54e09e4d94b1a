import type { SandboxSpec } from "./spec.ts";

export interface RunInSandboxOptions {
  readonly spec: SandboxSpec;
  readonly builder: string;
  readonly args: readonly string[];
  /** A directory of ours that the builder does not see, for files that are needed while it starts. */
  readonly scratchDirectory: string;
  /** Takes what the builder writes to standard output and standard error, in order. */
  readonly receive: (chunk: Buffer) => void;
}

/** How a run ended. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "killed"; readonly signal: string }
  /** The sandbox itself could not be made: the reason, when it is known. Its words may be in the output too. */
  | { readonly kind: "not-started"; readonly found?: string };

/** A builder that runs. */
export interface RunningProcess {
  /** Fulfilled when no process of it is left and all it wrote was received. */
  readonly ended: Promise<ProcessEnd>;
  /** End it and everything it started, at once. May be called more than once. */
  kill(): void;
  /** The most memory one process of it used, in bytes; known after its end, where somebody counts. */
  readonly peakMemoryBytes?: number | undefined;
}

/** Something that runs builders in sandboxes. Its implementations share one contract suite. */
export interface Sandbox {
  /** @throws {Error} with code `E2BIG` when the arguments or variables are longer than the system allows. */
  start(options: RunInSandboxOptions): Promise<RunningProcess>;
  /** Give back what was held for several runs, locks and their files too; none may be running. Fulfilled when it is given back. */
  close(): Promise<void>;
}

const SIGNALS_BY_CODE: Readonly<Record<number, string>> = {
  132: "SIGILL",
  134: "SIGABRT",
  135: "SIGBUS",
  136: "SIGFPE",
  137: "SIGKILL",
  139: "SIGSEGV",
  143: "SIGTERM",
  159: "SIGSYS",
};

/** A shell that is a builder ends with 128 + the signal its program died of, which says more than the number. */
export function readExitCode(code: number): ProcessEnd {
  const signal = SIGNALS_BY_CODE[code];
  return signal === undefined ? { kind: "exited", code } : { kind: "killed", signal };
}
