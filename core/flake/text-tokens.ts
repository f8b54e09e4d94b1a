/** A place in a text; line and column count from 1. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/** Words, texts, comments and marks of a TypeScript text. */
export const TOKEN =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|[A-Za-z_$][\w$]*|[{}[\]():,;]|\S/g;

/** The name that a key means: itself, or what stands between its quotes. */
export function nameOf(word: string): string {
  return /^["'`]/.test(word) ? word.slice(1, -1) : word;
}

export function placeAt(text: string, offset: number): TextPlace {
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length, column: (lines.at(-1) as string).length + 1 };
}

/** Where a place lies in a text; `undefined` behind its end. */
export function offsetOf(text: string, { line, column }: TextPlace): number | undefined {
  const lines = text.split("\n");
  if (line > lines.length) return undefined;
  return lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
}
