import { EXPRESSION_OUTPUTS } from "../inside/expression-place.ts";
import type { ErrorReport, Expression } from "../protocol.ts";
import { endOf } from "./module-code.ts";

/** Text of a module for an expression, and how many lines of it come before the first one of the user. */
export function expressionModule({ kind, text, declarations = [] }: Expression): { text: string; before: number } {
  const head = declarations.join("\n");
  if (kind === "apply") return { text: `export default (\n${text}\n);`, before: 1 };
  const mentioned = ["outputs", "self", "inputs", "pkgs", ...EXPRESSION_OUTPUTS].filter((name) =>
    new RegExp(`(?<![.\\w$])${name}(?![\\w$])`).test(`${head}\n${text}`),
  );
  const whole = `export default (${mentioned.length === 0 ? "" : `{ ${mentioned.join(", ")} }`}) => {\n${head}\nreturn (\n${text}\n); };`;
  return { text: whole, before: head.split("\n").length + 2 };
}

/** A report about the module of an expression, told of the expression alone: what is missing at its end shows behind it. */
export function movedUp({ at, ...report }: ErrorReport, before: number, text: string): ErrorReport {
  if (at === undefined) return report;
  const line = Math.max(1, at.line - before);
  const end = endOf(text);
  if (line <= end.line) return { ...report, at: { ...at, line } };
  const { column } = end;
  return { ...report, at: { ...at, line: end.line, column }, details: [end.source, `${" ".repeat(column - 1)}^`] };
}
