import type { CodedError } from "../../../../core/base/index.ts";
import { isInfrastructure } from "../../../../vm-tests/driver/index.ts";

/** One try of a test. */
export interface Attempt {
  /** Counted from 1. */
  readonly number: number;
  readonly ok: boolean;
  /** It passed before, and nothing it depends on has changed since. */
  readonly unchanged: boolean;
  readonly seconds: number;
  /** Its records, when it ran. */
  readonly folder?: string;
  readonly error?: CodedError;
}

/** What a try says about its test. */
export interface Judgement {
  /** `unchanged`: it passed before, and nothing it depends on has changed since. `flaky`: it passed after it had failed. */
  readonly outcome: "passed" | "failed" | "flaky" | "unchanged";
  /** What failed is this host. */
  readonly ofHost: boolean;
  /** There is to be another try. */
  readonly isTriedAgain: boolean;
}

/** How often a test is run again because the host ended it: a host that fails again is broken. */
const HOST_FAULTS_FORGIVEN = 1;

/**
 * Judge a try by itself and those before it. A fault of the host says nothing about the test: the test is run once more, whatever `retry` says, and a
 * pass is then a pass. `retry` is how often a test may be tried again that failed by itself.
 */
export function judgeAttempt(before: readonly Attempt[], attempt: Attempt, retry: number): Judgement {
  const faults = before.filter(isHostFault).length;
  const failures = before.length - faults;
  const ofHost = isHostFault(attempt);
  const isTriedAgain = !attempt.ok && (ofHost ? faults < HOST_FAULTS_FORGIVEN : failures < retry);
  if (!attempt.ok) return { outcome: "failed", ofHost, isTriedAgain };
  const outcome = attempt.unchanged ? "unchanged" : failures > 0 ? "flaky" : "passed";
  return { outcome, ofHost, isTriedAgain };
}

/** Whether a try was ended by the host, and not by what is tested. */
export function isHostFault({ ok, error }: Attempt): boolean {
  return !ok && error !== undefined && isInfrastructure(error.code);
}
