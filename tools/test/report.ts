/** What one stage found. */
export interface StageResult {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** One per failure (or per file that failed): its name, and what it printed. */
  readonly failures: readonly Failure[];
  /** A remark shown with the stage, such as why it was skipped. */
  readonly note?: string;
}

export interface Failure {
  readonly name: string;
  readonly output: string;
}

/** A stage that is one yes or no. */
export function single(name: string, output: string | undefined): StageResult {
  if (output === undefined) return { passed: 1, failed: 0, skipped: 0, failures: [] };
  return { passed: 0, failed: 1, skipped: 0, failures: [{ name, output }] };
}

export function sum(results: readonly StageResult[]): StageResult {
  const total = (pick: (result: StageResult) => number) => results.reduce((all, result) => all + pick(result), 0);
  return {
    passed: total((result) => result.passed),
    failed: total((result) => result.failed),
    skipped: total((result) => result.skipped),
    failures: results.flatMap((result) => result.failures),
  };
}

/** `12 passed, 0 failed`, and `, 3 skipped` when some were. */
export function totals({ passed, failed, skipped }: StageResult): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

export function stripColors(text: string): string {
  return text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");
}
