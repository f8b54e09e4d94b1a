import type { CodedError } from "../base/index.ts";

/** Exit status of a build run with one kind of failure. Source: Nix manual, `nix-store --realise`, "exit codes". */
export const EXIT_CODES = { buildFailed: 100, timedOut: 101, hashMismatch: 102, notDeterministic: 104 } as const;

/**
 * Exit status of a whole run: 0 without failures; the failures' codes or-ed bit by bit, so that 101 and 102 give 103.
 * A failure without a build exit code counts as 1 when it is alone.
 */
export function exitCodeOf(failures: readonly CodedError[]): number {
  if (failures.length === 0) return 0;
  const codes = failures.map((failure) => failure.exitCode ?? 1);
  const build = codes.filter((code) => code >= 100);
  return build.length === 0 ? 1 : build.reduce((sum, code) => sum | code, 0);
}
