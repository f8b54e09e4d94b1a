import { setTimeout as sleep } from "node:timers/promises";
import { CodedError } from "../../core/base/index.ts";
import type { Deadline } from "./deadline.ts";

const FIRST_PAUSE_MS = 150;
const LONGEST_PAUSE_MS = 1000;
/** How often a deadline is looked at while one thing is awaited. */
const WATCH_MS = 250;

/** What one look at a condition gave: the awaited value, or what was seen in its place. */
export type Attempt<T> = { readonly value: T } | { readonly seen: string };

/**
 * Look again and again, ever less often, until there is a value or the deadline is over.
 *
 * @throws {CodedError} `wait.timeout`, which says what was seen last.
 */
export async function waitUntil<T>(options: {
  /** Completes "Cannot …". */
  readonly what: string;
  readonly deadline: Deadline;
  readonly signal: AbortSignal;
  attempt(): Promise<Attempt<T>>;
  /** Settles when it is time to look again, at the latest after that many milliseconds. Default: when they are over. */
  pause?(milliseconds: number): Promise<unknown>;
}): Promise<T> {
  const { what, deadline, signal, attempt } = options;
  const rest = options.pause ?? ((milliseconds: number) => sleep(milliseconds, undefined, { signal }));
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    signal.throwIfAborted();
    // Asked before the look, so that the last look comes after the end of the time and not before it.
    const last = deadline.expired;
    const result = await attempt();
    if ("value" in result) return result.value;
    if (last) {
      throw new CodedError(
        "wait.timeout",
        `Cannot ${what}: not so after ${deadline.show()}; last seen: ${result.seen}`,
      );
    }
    await rest(pause).catch(() => undefined);
  }
}

/**
 * Await one thing no longer than the deadline.
 *
 * @param onTimeout Makes the error, which may take a moment; also the place to stop the thing itself, whose end does not count any more.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  deadline: Deadline,
  signal: AbortSignal,
  onTimeout: () => Error | Promise<Error>,
): Promise<T> {
  let stop = (): void => {};
  let late = false;
  const inTime = promise.finally(() => (late ? new Promise<never>(() => {}) : undefined));
  inTime.catch(() => {});
  const end = new Promise<never>((_resolve, reject) => {
    const watch = setInterval(() => {
      if (!deadline.expired) return;
      late = true;
      clearInterval(watch);
      Promise.resolve(onTimeout()).then(reject, reject);
    }, WATCH_MS);
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    stop = () => {
      clearInterval(watch);
      signal.removeEventListener("abort", abort);
    };
  });
  try {
    return await Promise.race([inTime, end]);
  } finally {
    stop();
  }
}
