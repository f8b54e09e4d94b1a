import type { Hole } from "../machine.ts";

/** One word of a shell command that stands for exactly this text. */
export function quote(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * The command a tagged template says: its text is shell, and each hole is one quoted word, a list of such words, or a number.
 *
 * @example
 * command`cat ${"my file"}` is `cat 'my file'`.
 */
export function command(parts: TemplateStringsArray, holes: readonly Hole[]): string {
  return parts.raw.map(unescape).reduce((text, part, index) => text + showHole(holes[index - 1]) + part);
}

/** A backslash belongs to the shell, except where TypeScript needs it to write a back-tick or a dollar and brace. */
function unescape(part: string): string {
  return part.replace(/\\(`|\$\{)/g, "$1");
}

function showHole(hole: Hole | undefined): string {
  if (hole === undefined) return "";
  if (Array.isArray(hole)) return hole.map((word) => quote(String(word))).join(" ");
  return quote(String(hole));
}
