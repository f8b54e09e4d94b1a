import { CodedError } from "../../base/index.ts";
import type { EvaluationResult, LockNeeded } from "./evaluate.ts";

/** For tests: all of an answer that anybody sees, as text. */
export function told(result: EvaluationResult | LockNeeded): string {
  if ("kind" in result && result.kind === "lock-needed") return JSON.stringify(result);
  const { attribute, value, description, plan, context, sourceContext, onHost } = result as EvaluationResult;
  const { derivations, sources, roots } = plan;
  return JSON.stringify([
    attribute,
    onHost(JSON.stringify(value)),
    description,
    derivations,
    sources,
    roots,
    context,
    sourceContext,
  ]);
}

/** For tests: all of an error that anybody sees, as text. What is no error of a user is thrown again. */
export function toldError(error: unknown): string {
  if (!(error instanceof CodedError)) throw error;
  const { code, message, at: place, hint, details, cause } = error;
  return JSON.stringify([
    code,
    message,
    place,
    hint,
    details,
    cause instanceof CodedError ? toldError(cause) : undefined,
  ]);
}

/** For tests: numbers from a seed, each time the same (mulberry32, public domain). */
export function dice(seed: number): (count: number) => number {
  let state = seed;
  return (count) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count;
  };
}
