import type { CodedError } from "../../../../../core/base/index.ts";
import type { RunReporter, TestEnd } from "./reporter.ts";

/** Raised when a field changes its meaning; new fields and new events change nothing. */
const VERSION = 1;

/**
 * What happens as lines of JSON, each an object with `event`, `at` (seconds since the first line), and `test` and `attempt` where it is about one.
 *
 * Shape: see "Events" in the README of vm-tests.
 */
export class JsonReporter implements RunReporter {
  readonly #print: (line: string) => void;
  readonly #now: () => number;
  readonly #attempts = new Map<string, number>();
  readonly #begin: number;

  /** @param now Milliseconds of a clock that does not go back. */
  constructor(print: (line: string) => void, now: () => number = () => performance.now()) {
    this.#print = print;
    this.#now = now;
    this.#begin = now();
    this.#tell("begin", { version: VERSION });
  }

  begins(test: string, attempt: number): void {
    this.#attempts.set(test, attempt);
    this.#tell("test-begin", { test, attempt });
  }

  entry(test: string, file: string, entry: object): void {
    if (file !== "events.ndjson") return;
    const { kind, at: _at, ...fields } = entry as { readonly kind: string; readonly at?: number };
    this.#tell(kind, { test, attempt: this.#attempts.get(test) ?? 1, ...fields });
  }

  ends({ test, attempt, outcome, ofHost, isTriedAgain, seconds, folder, report, error, hostFaults }: TestEnd): void {
    const failure = error === undefined ? {} : { error: { ...showFailure(error), infrastructure: ofHost } };
    const faults = hostFaults.map((fault) => ({
      ...{ attempt: fault.number, seconds: fault.seconds, folder: fault.folder },
      error: fault.error === undefined ? undefined : showFailure(fault.error),
    }));
    const before = faults.length === 0 ? {} : { hostFaults: faults };
    this.#tell("test-end", { test, attempt, outcome, isTriedAgain, seconds, folder, report, ...failure, ...before });
  }

  summary(summary: object): void {
    this.#tell("end", summary);
  }

  close(): void {}

  #tell(event: string, fields: object): void {
    const at = Math.round(this.#now() - this.#begin) / 1000;
    this.#print(JSON.stringify({ event, at, ...fields }));
  }
}

function showFailure({ code, message, hint, at, details }: CodedError): object {
  return { code, message, hint, at, details };
}
