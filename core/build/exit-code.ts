import type { CodedError } from "../base/index.ts";

/** Exit status of a build run with one kind of failure. Source: Nix manual, `nix-store --realise`, "exit codes". */
export const EXIT_CODES = { buildFailed: 100, timedOut: 101, hashMismatch: 102, notDeterministic: 104 } as const;

/**
 * Exit status of a whole run: 0 without failures; the failures' codes or-ed bit by bit, so that 101 and 102 give 103.
 * A failure without a code of its own (a bad setting, a strange file) counts as a failed build.
 */
export function exitCodeOf(failures: readonly CodedError[]): number {
  return failures.reduce((sum, failure) => sum | (failure.exitCode ?? EXIT_CODES.buildFailed), 0);
}
