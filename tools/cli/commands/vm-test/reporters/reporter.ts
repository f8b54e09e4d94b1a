import type { CodedError } from "../../../../../core/base/index.ts";
import type { Attempt, Judgement } from "../judge-attempt.ts";

/** How one try of a test ended. */
export interface TestEnd extends Judgement {
  readonly test: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** Tries before this one that were ended by a fault of this host. */
  readonly hostFaults: readonly Attempt[];
  readonly seconds: number;
  /** Its records, and the page made of them, when it ran. */
  readonly folder?: string;
  readonly report?: string;
  readonly error?: CodedError;
}

/** How all tests ended, counted. */
export interface RunSummary {
  readonly passed: number;
  /** Of those that passed: this host had ended a try of theirs before. */
  readonly afterHostFault: number;
  readonly failed: number;
  /** Of those that failed: what failed is this host. */
  readonly failedByHost: number;
  readonly flaky: number;
  readonly unchanged: number;
  readonly seconds: number;
  /** The page of all tests, when there is one. */
  readonly report?: string;
}

/** Hears what happens while tests run, several at once perhaps. */
export interface RunReporter {
  begins(test: string, attempt: number): void;
  /** An entry of a test's records; `file` is its path in the folder, such as `events.ndjson`. */
  entry(test: string, file: string, entry: object): void;
  ends(end: TestEnd): void;
  summary(summary: RunSummary): void;
  /** The last word: also when a run was interrupted. */
  close(): void;
}

/** One reporter that tells several. */
export function tellAll(reporters: readonly RunReporter[]): RunReporter {
  return {
    begins: (test, attempt) => reporters.forEach((each) => each.begins(test, attempt)),
    entry: (test, file, entry) => reporters.forEach((each) => each.entry(test, file, entry)),
    ends: (end) => reporters.forEach((each) => each.ends(end)),
    summary: (summary) => reporters.forEach((each) => each.summary(summary)),
    close: () => reporters.forEach((each) => each.close()),
  };
}
