import { type SourceLocation, formatLocation } from "../base/index.ts";
import type { OptionDocumentation } from "./docs.ts";

/** How places of declarations are shown, such as without the folder of a checkout. */
export type ShowDeclaration = (at: SourceLocation) => string;

/**
 * Documentation as one JSON object by path, for sites and editors that show options.
 *
 * Shape: each member has `loc` (the path's names), `type`, `description`, `readOnly`, `declarations`, `related`, and where
 * there are such `default` and `example` as `{ "_type": "literalExpression", "text": … }`.
 *
 * Source: the `options.json` that NixOS makes for its manual.
 */
export function formatOptionsJson(
  options: readonly OptionDocumentation[],
  show: ShowDeclaration = formatLocation,
): string {
  const entries = options.map((option) => [option.path, jsonOf(option, show)]);
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

function jsonOf(option: OptionDocumentation, show: ShowDeclaration): object {
  const literal = (text: string) => ({ _type: "literalExpression", text });
  return {
    ...(option.default === undefined ? {} : { default: literal(option.default) }),
    declarations: option.declaredAt === undefined ? [] : [show(option.declaredAt)],
    description: option.description ?? "",
    ...(option.example === undefined ? {} : { example: literal(option.example) }),
    loc: splitOptionPath(option.path),
    readOnly: option.readOnly,
    related: option.related,
    type: option.type,
  };
}

/** Documentation as Markdown, one section per option. */
export function formatOptionsMarkdown(
  options: readonly OptionDocumentation[],
  show: ShowDeclaration = formatLocation,
): string {
  return options.map((option) => markdownOf(option, show)).join("\n");
}

function markdownOf(option: OptionDocumentation, show: ShowDeclaration): string {
  const facts = [
    `Type: ${option.type}`,
    option.default === undefined ? undefined : `Default: ${code(option.default)}`,
    option.example === undefined ? undefined : `Example: ${code(option.example)}`,
    option.readOnly ? "Read-only: defined by the module that declares it" : undefined,
    option.related.length === 0 ? undefined : `See also: ${option.related.map(code).join(", ")}`,
    option.declaredAt === undefined ? undefined : `Declared by: ${code(show(option.declaredAt))}`,
  ].filter((fact) => fact !== undefined);
  const text = option.description === undefined ? "" : `${option.description.trim()}\n\n`;
  return `## ${code(option.path)}\n\n${text}${facts.map((fact) => `- ${fact}\n`).join("")}`;
}

/** Text as code: the fence is longer than any run of backticks in it. */
function code(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  const pad = text.startsWith("`") || text.endsWith("`") ? " " : "";
  return `${fence}${pad}${text.replaceAll("\n", " ")}${pad}${fence}`;
}

/** The names of an option's path as messages show it: names with dots are in quotes, elements of lists in brackets. */
export function splitOptionPath(path: string): string[] {
  const names: string[] = [];
  for (const [, quoted, plain, index] of path.matchAll(/("(?:[^"\\]|\\.)*")|([^."[\]]+)|\[(\d+)\]/g))
    names.push(quoted === undefined ? (plain ?? index ?? "") : (JSON.parse(quoted) as string));
  return names;
}
