import { CodedError } from "../../base/index.ts";

/**
 * The result of a promise, unless it takes too long. What was begun is not stopped, its later result is dropped.
 *
 * @throws {CodedError} `substitute.stalled`
 */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new CodedError("substitute.stalled", `Cannot wait for ${what}: it was silent for ${timeoutMs / 1000} s`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
