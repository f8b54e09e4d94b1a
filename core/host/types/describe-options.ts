/**
 * Put the description of each option before it as a comment, in the text of a module.
 *
 * Editors show the comment before a name and know nothing of a `description` beside it, so declarations for other flakes are
 * made from texts that have both. An option with a comment of its own keeps it. No line moves.
 *
 * @example
 * describeOptions('port: option.port({ default: 80, description: "The port." }),');
 * // '/** The port. *\/ port: option.port({ default: 80, description: "The port." }),'
 */
export function describeOptions(text: string): string {
  if (!text.includes("description:")) return text;
  const tokens = tokenize(text);
  let described = "";
  let at = 0;
  for (let i = 0; i < tokens.length; i++) {
    const name = tokens[i] as Token;
    if (!isMakerOfOption(tokens, i) || /\*\/\s*$/.test(text.slice(Math.max(0, name.start - 200), name.start))) continue;
    const description = descriptionIn(tokens, settingsOf(tokens, i + 5));
    if (description === undefined) continue;
    described += `${text.slice(at, name.start)}/** ${description.replaceAll("*/", "*\\/")} */ `;
    at = name.start;
  }
  return described + text.slice(at);
}

interface Token {
  readonly kind: "name" | "text" | "sign";
  readonly start: number;
  readonly text: string;
}

/** Texts without substitutions, names, and everything else one by one; comments and spaces are left out. */
function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|[\p{L}\p{N}_$]+|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\S/gu;
  const pattern = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) {
    const [text] = match;
    const start = match.index;
    if (text.startsWith("//") || text.startsWith("/*")) continue;
    if (text === "/" && /^[(,=:[!&|?{};>]?$/.test(tokens.at(-1)?.text ?? "")) {
      pattern.lastIndex = start;
      const length = pattern.exec(source)?.[0].length ?? 1;
      token.lastIndex = start + length;
      continue;
    }
    const kind = /^["'`]/.test(text) ? "text" : /^[\p{L}\p{N}_$]/u.test(text) ? "name" : "sign";
    tokens.push({ kind, start, text });
  }
  return tokens;
}

/** Whether `name: option.maker(` begins here. */
function isMakerOfOption(tokens: readonly Token[], at: number): boolean {
  const [name, colon, option, dot, maker, open] = tokens.slice(at, at + 6);
  return (
    (name?.kind === "name" || name?.kind === "text") &&
    colon?.text === ":" &&
    option?.text === "option" &&
    dot?.text === "." &&
    maker?.kind === "name" &&
    open?.text === "("
  );
}

/** The call with the settings: that of the option inside for what only changes another option. */
function settingsOf(tokens: readonly Token[], open: number): number {
  const changes = ["required", "apply"].includes(tokens[open - 1]?.text ?? "");
  return changes && tokens[open + 1]?.text === "option" && tokens[open + 4]?.text === "(" ? open + 4 : open;
}

/** The text behind `description:` in the settings of a call that opens at a token; those of calls inside it are not meant. */
function descriptionIn(tokens: readonly Token[], open: number): string | undefined {
  const around: string[] = [];
  for (let i = open; i < tokens.length; i++) {
    const { text } = tokens[i] as Token;
    if ("([{".includes(text)) around.push(text);
    if (")]}".includes(text)) around.pop();
    if (around.length === 0) return undefined;
    if (text !== "description" || around.join("") !== "({" || tokens[i + 1]?.text !== ":") continue;
    const value = tokens[i + 2];
    if (value?.kind === "text" && [",", "}"].includes(tokens[i + 3]?.text ?? "")) return plain(value.text);
  }
  return undefined;
}

/** The text of a literal on one line. */
function plain(literal: string): string | undefined {
  if (literal.startsWith("`") && literal.includes("${")) return undefined;
  const ESCAPED: Readonly<Record<string, string>> = { n: " ", t: " ", r: " " };
  const text = literal.slice(1, -1).replace(/\\([\s\S])/g, (_, escaped: string) => ESCAPED[escaped] ?? escaped);
  return text.replace(/\s+/g, " ").trim();
}
