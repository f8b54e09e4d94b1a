import { CodedError } from "../../base/index.ts";
import type { Places } from "./places.ts";

export interface FailedChild {
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Why a process ended without an answer, when neither its time nor its memory was over. */
export function childFailure({ errors, status, signal }: FailedChild, places: Places): CodedError {
  const lines = errors.split("\n");
  const syntax = uncaughtSyntax(lines, places);
  if (syntax !== undefined) return syntax;
  const tail = lines.filter((line) => line !== "").slice(-8);
  return new CodedError(
    "evaluation.crashed",
    `Cannot finish the evaluation: its process ended with ${signal === null ? `exit code ${status}` : `signal ${signal}`}`,
    {
      details: tail,
    },
  );
}

/** Whether a process ended because its memory was at its limit; only the runtime itself writes what is looked at. */
export function ranOutOfMemory(errors: string): boolean {
  return /out of memory|allocation failure|allocation failed|bad_alloc/i.test(errors);
}

const SYNTAX_ERROR = /^\[?SyntaxError(?: <.*?>)?: (.*?)\]?$/;

/**
 * What the runtime prints for a syntax error nobody caught: `file:line`, the line, carets, a blank line, the error. It stands in
 * brackets because its stack has no frames, and the chain of its prototypes may come after its name, as it is of another realm.
 */
function uncaughtSyntax(lines: readonly string[], places: Places): CodedError | undefined {
  const carets = lines.findIndex(
    (line, i) => /^\s*\^+$/.test(line) && lines[i + 1] === "" && SYNTAX_ERROR.test(lines[i + 2] ?? ""),
  );
  const place = /^(\/.*):(\d+)$/.exec(lines[carets - 2] ?? "");
  if (carets < 2 || place === null) return undefined;
  const [, inside, line] = place as unknown as [string, string, string];
  const file = places.onHost(inside);
  const found = SYNTAX_ERROR.exec(lines[carets + 2] as string)?.[1] as string;
  return new CodedError("evaluation.syntax", `Cannot load "${file}": ${found}`, {
    at: { file, line: Number(line), column: (lines[carets] as string).indexOf("^") + 1 },
    details: [lines[carets - 1] as string, lines[carets] as string],
    hint: found.includes("does not provide an export named")
      ? "Check the name, and that the other file exports it as a value; a type is imported with `import type`."
      : "A bracket, quote or comma is missing or too many, there or shortly before.",
  });
}
