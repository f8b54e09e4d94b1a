import { CodedError } from "../../base/index.ts";

/** What can be read of a Nix expression without evaluating it. */
export type NixLiteral = string | number | boolean | NixLiteralSet;

/** Attributes by name, in the order they were written. */
export type NixLiteralSet = ReadonlyMap<string, NixLiteral>;

type OpenSet = Map<string, NixLiteral | OpenSet>;

/** Names of the arguments of a function that is written `{ a, b ? x, ... }: …`. */
export interface NixFunction {
  readonly formals: readonly string[];
}

/** Deeper than any set that people write. */
const DEEPEST_SET = 50;

const SPACE = /[ \t\r\n]+|#[^\n]*|\/\*[\s\S]*?\*\//y;
const NAME = /[a-zA-Z_][a-zA-Z0-9_'-]*/y;
const NUMBER = /[0-9]+(?![.0-9a-zA-Z])/y;
const ADDRESS = /[a-zA-Z][a-zA-Z0-9+.-]*:[a-zA-Z0-9%/?:@&=+$,_.!~*'-]+/y;
const PATH = /\.{0,2}(?:\/[a-zA-Z0-9._+-]+)+/y;
const STRING_ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/**
 * Reads the literal parts of a `flake.nix`: Nix demands that a flake's inputs are written out, so nothing has to be evaluated.
 * Functions are skipped over, but for the names of their arguments.
 *
 * Errors: `nix-expression.malformed` with the line, for everything else too.
 */
export class NixReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * A file that is one set.
   *
   * @param isFunction Which attributes of it hold functions; they are given apart.
   */
  file(isFunction: (name: string) => boolean): {
    readonly set: NixLiteralSet;
    readonly functions: ReadonlyMap<string, NixFunction>;
  } {
    const set: OpenSet = new Map();
    const functions = new Map<string, NixFunction>();
    this.#expect("{");
    while (!this.#take("}")) {
      const path = this.#attributePath();
      this.#expect("=");
      if (path.length === 1 && isFunction(path[0] as string)) {
        functions.set(path[0] as string, { formals: this.#formals() });
        this.#skipExpression();
      } else {
        this.#place(set, path, this.#value(0));
      }
      this.#expect(";");
    }
    this.#space();
    if (this.#at < this.#text.length) throw this.#malformed("the end of the file");
    return { set, functions };
  }

  #value(depth: number): NixLiteral {
    this.#space();
    const character = this.#text[this.#at];
    if (character === '"') return this.#string();
    if (this.#text.startsWith("''", this.#at)) return this.#indentedString();
    if (character === "{") return this.#set(depth);
    const number = this.#match(NUMBER);
    if (number !== undefined) return Number(number);
    const text = this.#match(ADDRESS) ?? this.#match(PATH);
    if (text !== undefined) return text;
    const name = this.#match(NAME);
    if (name === "true" || name === "false") return name === "true";
    throw this.#malformed("a text, a number, true, false or a set");
  }

  #set(depth: number): NixLiteralSet {
    if (depth > DEEPEST_SET) throw this.#malformed(`sets that are nested at most ${DEEPEST_SET} deep`);
    this.#expect("{");
    const set: OpenSet = new Map();
    while (!this.#take("}")) {
      const path = this.#attributePath();
      this.#expect("=");
      this.#place(set, path, this.#value(depth + 1));
      this.#expect(";");
    }
    return set as NixLiteralSet;
  }

  /** Put a value at its place; sets that are written in several parts become one. */
  #place(set: OpenSet, path: readonly string[], value: NixLiteral): void {
    const [name, ...rest] = path as [string, ...string[]];
    const there = set.get(name);
    if (rest.length > 0) {
      const inner: OpenSet = there instanceof Map ? (there as OpenSet) : new Map();
      if (there !== undefined && !(there instanceof Map)) throw this.#malformed(`"${name}" only once`);
      set.set(name, inner);
      this.#place(inner, rest, value);
    } else if (there instanceof Map && value instanceof Map) {
      for (const [key, each] of value as NixLiteralSet) this.#place(there as OpenSet, [key], each);
    } else if (there === undefined) {
      set.set(name, value);
    } else {
      throw this.#malformed(`"${name}" only once`);
    }
  }

  #attributePath(): string[] {
    const path: string[] = [];
    do {
      if (path.length > DEEPEST_SET) throw this.#malformed(`at most ${DEEPEST_SET} names in a row`);
      this.#space();
      if (this.#text[this.#at] === '"') path.push(this.#string());
      else {
        const name = this.#match(NAME);
        if (name === undefined) throw this.#malformed("the name of an attribute");
        path.push(name);
      }
    } while (this.#take("."));
    return path;
  }

  #string(): string {
    this.#at++;
    let value = "";
    for (;;) {
      const character = this.#text[this.#at++];
      if (character === undefined) throw this.#malformed('the end of a text, "');
      if (character === '"') return value;
      if (character === "$" && this.#text[this.#at] === "{") throw this.#malformed("a text without interpolation");
      if (character === "\\") {
        const escaped = this.#text[this.#at++] ?? "";
        value += STRING_ESCAPES[escaped] ?? escaped;
      } else value += character === "\r" && this.#text[this.#at] === "\n" ? "" : character;
    }
  }

  #indentedString(): string {
    const end = this.#text.indexOf("''", this.#at + 2);
    const body = this.#text.slice(this.#at + 2, end);
    if (end < 0 || body.includes("${") || "'$\\".includes(this.#text[end + 2] || " "))
      throw this.#malformed("a text without interpolation and escapes");
    this.#at = end + 2;
    const lines = body.split("\n");
    if (lines.length > 1 && lines[0]?.trim() === "") lines.shift();
    const margin = Math.min(
      ...lines.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length),
    );
    return lines.map((line) => line.slice(Number.isFinite(margin) ? margin : line.length)).join("\n");
  }

  /** The names in `{ a, b ? x, ... }` before a colon; none for a function of another form. The place does not change. */
  #formals(): string[] {
    const start = this.#at;
    try {
      this.#space();
      if (this.#match(NAME) !== undefined && !this.#take("@")) return [];
      if (!this.#take("{")) return [];
      const names: string[] = [];
      while (!this.#take("}")) {
        this.#space();
        if (this.#take("...")) continue;
        const name = this.#match(NAME);
        if (name === undefined) return [];
        names.push(name);
        if (this.#take("?")) this.#skipExpression();
        if (!this.#take(",") && this.#text[this.#at] !== "}") return [];
      }
      this.#space();
      return this.#text[this.#at] === ":" || this.#text[this.#at] === "@" ? names : [];
    } finally {
      this.#at = start;
    }
  }

  /** Go to the `;`, `,` or `}` that ends an expression, whatever it is. */
  #skipExpression(): void {
    const open: string[] = [];
    // How many `with …;` and `assert …;` have begun at this level and wait for their own semicolon.
    let pending = 0;
    for (;;) {
      this.#space();
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#malformed("the end of an expression");
      if (open.length === 0 && (character === "," || character === "}" || (character === ";" && pending === 0))) return;
      if (character === ";") pending -= open.length === 0 ? 1 : 0;
      if (character === '"' || this.#text.startsWith("''", this.#at)) {
        this.#skipString();
        continue;
      }
      const word = this.#match(NAME);
      if (word === "let") open.push("in");
      else if (word === "in") {
        if (open.pop() !== "in") throw this.#malformed('no "in" without "let"');
      } else if ((word === "with" || word === "assert") && open.length === 0) pending++;
      if (word !== undefined) continue;
      if ("([{".includes(character)) open.push(character === "(" ? ")" : character === "[" ? "]" : "}");
      else if (")]}".includes(character) && open.pop() !== character) throw this.#malformed("brackets in pairs");
      this.#at++;
    }
  }

  #skipString(): void {
    const indented = this.#text[this.#at] === "'";
    // Strings hold expressions, which hold strings: each open one is an entry, true for those in two single quotes.
    const strings: { readonly indented: boolean; braces: number }[] = [{ indented, braces: 0 }];
    this.#at += indented ? 2 : 1;
    while (strings.length > 0) {
      const string = strings.at(-1) as { readonly indented: boolean; braces: number };
      if (this.#at >= this.#text.length) throw this.#malformed("the end of a text");
      const rest = this.#text.slice(this.#at, this.#at + 3);
      if (string.braces > 0) {
        // Inside ${…}: an expression.
        if (rest.startsWith('"') || rest.startsWith("''")) {
          strings.push({ indented: rest.startsWith("''"), braces: 0 });
          this.#at += rest.startsWith('"') ? 1 : 2;
          continue;
        }
        if (rest.startsWith("{")) string.braces++;
        if (rest.startsWith("}")) string.braces--;
        this.#at++;
        this.#space();
      } else if (rest.startsWith("${")) {
        string.braces = 1;
        this.#at += 2;
      } else if (string.indented) {
        if (rest === "'''" || rest === "''$") this.#at += 3;
        else if (rest === "''\\") this.#at += 4;
        else if (rest.startsWith("''")) {
          strings.pop();
          this.#at += 2;
        } else this.#at++;
      } else if (rest.startsWith("\\")) this.#at += 2;
      else {
        if (rest.startsWith('"')) strings.pop();
        this.#at++;
      }
    }
  }

  #space(): void {
    while (this.#match(SPACE) !== undefined);
  }

  #take(token: string): boolean {
    this.#space();
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#malformed(`"${token}"`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #malformed(expected: string): CodedError {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    const found = JSON.stringify(this.#text.slice(this.#at, this.#at + 20));
    return new CodedError(
      "nix-expression.malformed",
      `Cannot read the Nix expression: found ${found} on line ${line}, expected ${expected}`,
      { hint: "Inputs of a flake are literals: texts, sets, true and false, without functions and interpolation." },
    );
  }
}
