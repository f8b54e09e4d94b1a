import { CodedError } from "../../base/index.ts";

export interface FailedChild {
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Why a process ended without an answer. */
export function childFailure({ errors, status, signal }: FailedChild): CodedError {
  const lines = errors.split("\n");
  const syntax = uncaughtSyntax(lines);
  if (syntax !== undefined) return syntax;
  if (/JavaScript heap out of memory|allocation failure|Array buffer allocation failed/i.test(errors)) {
    return new CodedError("evaluation.out-of-memory", "Cannot finish the evaluation: its memory ran out", {
      hint: "Look for a list or loop that grows without end in the configuration.",
    });
  }
  const tail = lines.filter((line) => line !== "").slice(-8);
  return new CodedError(
    "evaluation.crashed",
    `Cannot finish the evaluation: its process ended with ${signal === null ? `exit code ${status}` : `signal ${signal}`}`,
    {
      details: tail,
    },
  );
}

/**
 * What the runtime prints for a syntax error nobody caught: `file:line`, the line, carets, a blank line, the error. After the
 * name of the error comes the chain of its prototypes when it is of another realm.
 */
function uncaughtSyntax(lines: readonly string[]): CodedError | undefined {
  const carets = lines.findIndex(
    (line, i) => /^\s*\^+$/.test(line) && lines[i + 1] === "" && lines[i + 2]?.startsWith("SyntaxError") === true,
  );
  const place = /^(\/.*):(\d+)$/.exec(lines[carets - 2] ?? "");
  if (carets < 2 || place === null) return undefined;
  const [, file, line] = place as unknown as [string, string, string];
  const found = (lines[carets + 2] as string).replace(/^SyntaxError(?: <.*>)?: /, "");
  return new CodedError("evaluation.syntax", `Cannot load "${file}": ${found}`, {
    at: { file, line: Number(line), column: (lines[carets] as string).indexOf("^") + 1 },
    details: [lines[carets - 1] as string, lines[carets] as string],
    hint: found.includes("does not provide an export named")
      ? "Check the name, and that the other file exports it as a value; a type is imported with `import type`."
      : undefined,
  });
}
