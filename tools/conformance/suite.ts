import { isDeepStrictEqual } from "node:util";
import { CodedError, fromBase64, fromUtf8 } from "../../core/base/index.ts";

/** Collects the results of one file of vectors. */
export class Suite {
  readonly file: string;
  passed = 0;
  readonly failures: string[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /** One case: every comparison made by `check` must hold, it must make at least one, and it must not throw. */
  async case(name: string, check: (compare: Compare) => void | Promise<void>): Promise<void> {
    const faults: string[] = [];
    let compared = 0;
    try {
      await check((what, found, expected) => {
        compared++;
        if (!isDeepStrictEqual(found, expected)) faults.push(`${what}: ${difference(found, expected)}`);
      });
      if (compared === 0) faults.push("nothing was compared: the vector has none of the fields that are known");
    } catch (error) {
      faults.push(`error: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (faults.length === 0) this.passed++;
    else this.fail(name, faults.join("; "));
  }

  /** A case that has failed without running. */
  fail(name: string, fault: string): void {
    this.failures.push(`${this.file}: ${name}: ${fault}`);
  }
}

export type Compare = (what: string, found: unknown, expected: unknown) => void;

/** Both values; of long ones the part around the first difference. */
function difference(found: unknown, expected: unknown): string {
  const [left, right] = [show(found), show(expected)];
  let at = 0;
  while (at < left.length && left[at] === right[at]) at++;
  const part = (text: string): string => {
    if (text.length <= LONGEST) return text;
    const start = Math.max(0, at - LONGEST / 4);
    return `${start === 0 ? "" : "…"}${text.slice(start, start + LONGEST)}…`;
  };
  return `expected ${part(right)}, found ${part(left)}`;
}

const LONGEST = 240;

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  return JSON.stringify(value, (_key, each) => (each instanceof Map ? Object.fromEntries(each) : each));
}

/** `undefined` instead of a refusal, for vectors that say whether something must be accepted. Slips of ours are no refusals. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

/** {@link attempt} of what takes its time. */
export async function attemptLater<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

/** A byte string of a vector: text where it is UTF-8, else `{"base64"}`. */
export type VectorBytes = string | { readonly base64: string };

export function textOf(value: VectorBytes): string {
  return typeof value === "string" ? value : fromUtf8(fromBase64(value.base64));
}
