import { type Annotation, formatAnnotation } from "../../../../../vm-tests/driver/index.ts";
import type { RunReporter, TestEnd } from "./reporter.ts";

/** Annotations for GitHub: a failure is an error at its line of the story, a try that failed before one that passed a warning. */
export class GithubReporter implements RunReporter {
  readonly #print: (line: string) => void;
  readonly #repository: string;

  /** @param repository Absolute path of the repository's folder. */
  constructor(print: (line: string) => void, repository: string) {
    this.#print = print;
    this.#repository = repository;
  }

  begins(): void {}

  entry(): void {}

  ends({ test, attempt, isTriedAgain, ofHost, error }: TestEnd): void {
    if (error === undefined) return;
    const { at } = error;
    const failure = [error.message, ...(error.details ?? [])].join("\n");
    const title = `vm-test ${test}${isTriedAgain ? `, attempt ${attempt}` : ""}${ofHost ? ", a fault of the host" : ""}`;
    const annotation: Annotation = { level: isTriedAgain ? "warning" : "error", title, message: failure, at };
    this.#print(formatAnnotation(annotation, this.#repository));
  }

  summary(): void {}

  close(): void {}
}
