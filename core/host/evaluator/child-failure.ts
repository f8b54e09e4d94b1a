import { CodedError } from "../../base/index.ts";

export interface FailedChild {
  readonly errors: string;
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * What the runtime prints for a syntax error nobody caught: `file:line`, the line, carets, a blank line, the error; after its
 * name the chain of prototypes, when it is of another realm.
 */
const UNCAUGHT_SYNTAX = /^(\/.*):(\d+)\n(.*)\n(\s*\^+)\s*\n+SyntaxError(?: <.*>)?: (.*)$/m;

/** Why a process ended without an answer. */
export function childFailure({ errors, status, signal }: FailedChild): CodedError {
  const syntax = UNCAUGHT_SYNTAX.exec(errors);
  if (syntax !== null) {
    const [, file, line, source, carets, found] = syntax as unknown as [string, string, string, string, string, string];
    const column = carets.indexOf("^") + 1;
    const hint = /does not provide an export named '(.*)'/.exec(found) === null ? undefined : "Check the name, and that the other file exports it as a value; a type is imported with `import type`.";
    return new CodedError("evaluation.syntax", `Cannot load "${file}": ${found}`, { at: { file, line: Number(line), column }, details: [source, carets], hint });
  }
  if (/JavaScript heap out of memory|allocation failure|Array buffer allocation failed/i.test(errors)) {
    return new CodedError("evaluation.out-of-memory", "Cannot finish the evaluation: its memory ran out", {
      hint: "Look for a list or loop that grows without end in the configuration.",
    });
  }
  const tail = errors.trim().split("\n").slice(-8);
  return new CodedError("evaluation.crashed", `Cannot finish the evaluation: its process ended with ${signal === null ? `exit code ${status}` : `signal ${signal}`}`, {
    details: tail,
  });
}
