import { isDeepStrictEqual } from "node:util";

/** Collects the results of one file of vectors. */
export class Suite {
  readonly file: string;
  passed = 0;
  readonly failures: string[] = [];

  constructor(file: string) {
    this.file = file;
  }

  /** One case: every comparison made by `check` must hold, and it must not throw. */
  case(name: string, check: (compare: Compare) => void): void {
    const faults: string[] = [];
    try {
      check((what, found, expected) => {
        if (!isDeepStrictEqual(found, expected))
          faults.push(`${what}: expected ${show(expected)}, found ${show(found)}`);
      });
    } catch (error) {
      faults.push(`error: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (faults.length === 0) this.passed++;
    else this.failures.push(`${this.file}: ${name}: ${faults.join("; ")}`);
  }
}

export type Compare = (what: string, found: unknown, expected: unknown) => void;

function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}

/** `undefined` instead of an error, for vectors that say whether something must be accepted. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** A byte string of a vector: text where it is UTF-8, else `{"base64"}`. */
export type VectorBytes = string | { readonly base64: string };
