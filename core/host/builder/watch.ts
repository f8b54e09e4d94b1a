import type { RunningProcess } from "../sandbox/index.ts";

export interface WatchOptions {
  /** 0 for any. */
  readonly timeoutSeconds: number;
  /** 0 for any. */
  readonly maxSilentSeconds: number;
  /** 0 for any. */
  readonly maxLogBytes: number;
  readonly signal: AbortSignal;
}

/** Which limit a process was killed for. */
export type WatchReason = "time" | "silence" | "log";

export interface Watch {
  begin(process: RunningProcess): void;
  /** The process wrote so many bytes. */
  heard(sizeBytes: number): void;
  stop(): void;
  stoppedBy(): WatchReason | undefined;
}

/** Kills a process that passes one of its limits, or when the run is cancelled. */
export function watch({ timeoutSeconds, maxSilentSeconds, maxLogBytes, signal }: WatchOptions): Watch {
  let reason: WatchReason | undefined;
  let running: RunningProcess | undefined;
  let total: NodeJS.Timeout | undefined;
  let silence: NodeJS.Timeout | undefined;
  let sizeBytes = 0;
  const kill = (why: WatchReason): void => {
    reason ??= why;
    running?.kill();
  };
  const cancel = (): void => running?.kill();
  return {
    begin(process) {
      running = process;
      if (signal.aborted || reason !== undefined) process.kill();
      signal.addEventListener("abort", cancel, { once: true });
      if (timeoutSeconds > 0) total = setTimeout(() => kill("time"), timeoutSeconds * 1000);
      if (maxSilentSeconds > 0) silence = setTimeout(() => kill("silence"), maxSilentSeconds * 1000);
    },
    heard(bytes) {
      sizeBytes += bytes;
      silence?.refresh();
      if (maxLogBytes > 0 && sizeBytes > maxLogBytes) kill("log");
    },
    stop() {
      signal.removeEventListener("abort", cancel);
      clearTimeout(total);
      clearTimeout(silence);
    },
    stoppedBy: () => reason,
  };
}
