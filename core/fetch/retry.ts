/** What to do after one attempt on one address failed. */
export type RetryDecision =
  /** The same address again, after a pause. */
  | { readonly kind: "again"; readonly delayMs: number }
  /** This address will not do: take the next one. */
  | { readonly kind: "next" };

export interface RetryPolicy {
  /** Attempts on one address, the first included. */
  readonly attempts: number;
  /** Pause before the second attempt; doubles each time. */
  readonly baseDelayMs: number;
  /** Longest pause, also for what a server asks for. */
  readonly maxDelayMs: number;
  /** How much of a pause is left to chance: half of it (the default), or all. */
  readonly jitter?: "half" | "full";
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = { attempts: 4, baseDelayMs: 500, maxDelayMs: 30_000 };

export interface AttemptFailure {
  /** HTTP status; absent when no answer came (name, connection, time-out, broken transfer). */
  readonly status?: number | undefined;
  /** The server's `Retry-After`, in seconds or as a date. */
  readonly retryAfter?: string | undefined;
  /** How many attempts on this address have been made. */
  readonly attempt: number;
  /** Present time, for `Retry-After` as a date. */
  readonly nowMs: number;
  /** From 0 (inclusive) to 1: spreads the pauses of many clients. */
  readonly random: number;
}

/**
 * Broken connections, 408, 425, 429 and 5xx are worth another attempt; every other status is an answer. A pause grows
 * as 1, 2, 4, … times the base, half or all of it by chance; a server's `Retry-After` counts when it is longer.
 */
export function decideRetry(failure: AttemptFailure, policy: RetryPolicy = DEFAULT_RETRY_POLICY): RetryDecision {
  const { status } = failure;
  const passing =
    status === undefined || status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
  if (!passing || failure.attempt >= policy.attempts) return { kind: "next" };
  const full = policy.baseDelayMs * 2 ** (failure.attempt - 1);
  const certain = policy.jitter === "full" ? 0 : full / 2;
  const backOff = certain + (full - certain) * failure.random;
  const asked = parseRetryAfterMs(failure.retryAfter, failure.nowMs) ?? 0;
  return { kind: "again", delayMs: Math.min(policy.maxDelayMs, Math.max(backOff, asked)) };
}

function parseRetryAfterMs(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text.trim())) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
