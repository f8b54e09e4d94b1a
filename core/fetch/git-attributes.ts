import { utf8 } from "../base/index.ts";

/** One line of a `.gitattributes`: which files, and what it says of them. */
export interface AttributeRule {
  /** Tests the bytes of a path relative to the folder of the file, each as one character. */
  readonly pattern: RegExp;
  /** Name and value: `true` for one that is set, `false` for one that is not (`-name`), `undefined` for `!name`. */
  readonly says: readonly (readonly [string, string | boolean | undefined])[];
}

/**
 * Read a `.gitattributes` file.
 *
 * Source: gitattributes(5), gitignore(5) for the patterns.
 */
export function parseAttributes(text: string): AttributeRule[] {
  const macros = new Map<string, AttributeRule["says"]>();
  const rules: AttributeRule[] = [];
  for (const line of bytesOf(text).split(/\r?\n/)) {
    const [, quoted, bare, rest = ""] = /^[ \t]*(?:"((?:\\.|[^"\\])*)"|([^\s#"]\S*))(?:[ \t]+(.*))?$/.exec(line) ?? [];
    const pattern = bare ?? quoted?.replace(/\\(.)/g, "$1");
    if (pattern === undefined) continue;
    const says = rest.split(/[ \t]+/).flatMap((word) => (word === "" ? [] : readWord(word, macros)));
    const macro = /^\[attr\](.+)$/.exec(pattern)?.[1];
    if (macro !== undefined) macros.set(macro, says);
    // Patterns that take away are not allowed, and a folder has no attributes that files in it would have.
    else if (!pattern.startsWith("!") && !pattern.endsWith("/")) rules.push({ pattern: patternOf(pattern), says });
  }
  return rules;
}

/** Setting a macro sets all that it stands for. */
function readWord(word: string, macros: ReadonlyMap<string, AttributeRule["says"]>): AttributeRule["says"] {
  const [, sign = "", name = "", value] = /^([-!]?)([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (sign === "-") return [[name, false]];
  if (sign === "!") return [[name, undefined]];
  return [[name, value ?? true], ...(value === undefined ? (macros.get(name) ?? []) : [])];
}

/**
 * What the attributes of a tree say of one file.
 *
 * @param path Relative to the top.
 * @param rulesOf The rules of the file in a folder, relative to the top, empty for the top itself.
 */
export function attributeOf(
  path: string,
  name: string,
  rulesOf: (folder: string) => readonly AttributeRule[],
): string | boolean | undefined {
  let found: string | boolean | undefined;
  const parts = path.split("/");
  // What stands further below, or later, counts.
  for (let depth = 0; depth < parts.length; depth++) {
    const inFolder = bytesOf(parts.slice(depth).join("/"));
    for (const { pattern, says } of rulesOf(parts.slice(0, depth).join("/")))
      if (pattern.test(inFolder)) for (const [said, value] of says) if (said === name) found = value;
  }
  return found;
}

/** To git a character is a byte. */
function bytesOf(text: string): string {
  return Array.from(utf8(text), (byte) => String.fromCharCode(byte)).join("");
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  digit: "0-9",
  lower: "a-z",
  punct: "!-\\/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/** A pattern of git as an expression over the whole path. One without a slash holds for names in every folder. */
function patternOf(pattern: string): RegExp {
  const isAnchored = pattern.includes("/");
  const glob = pattern.startsWith("/") ? pattern.slice(1) : pattern;
  let source = isAnchored ? "" : "(?:.*/)?";
  for (let at = 0; at < glob.length; ) {
    const rest = glob.slice(at);
    const stars = /^\*+\/?/.exec(rest)?.[0] ?? "";
    // Two or more that are all of a part of the path stand for any number of parts. To git also what follows plain text begins a part: it
    // compares the text first, and the rest by itself.
    const isDeep =
      (at === 0 || glob[at - 1] === "/" || (isAnchored && /^[^*?[\\]*$/.test(glob.slice(0, at)))) &&
      stars.startsWith("**") &&
      (stars.endsWith("/") || stars === rest);
    if (isDeep) {
      source += stars.endsWith("/") ? "(?:.*/)?" : ".*";
      at += stars.length;
    } else if (stars !== "") {
      source += "[^/]*";
      at += stars.replace("/", "").length;
    } else if (rest.startsWith("?")) {
      source += "[^/]";
      at += 1;
    } else if (rest.startsWith("[")) {
      const [whole, negated, members] = /^\[([!^]?)(\]?(?:\[:\w+:\]|\\.|[^\]\\])*)\]/s.exec(rest) ?? [];
      // Without an end it means nothing, so it matches nothing.
      if (whole === undefined) return /(?!)/;
      const inside = (members as string).replace(
        /\[:(\w+):\]|\\(.)|[\][^&\\]/gs,
        (part, name?: string, escaped?: string) =>
          name !== undefined ? (CLASSES[name] ?? "") : `\\${escaped ?? part}`,
      );
      source += `(?!/)[${negated === "" ? "" : "^"}${inside}]`;
      at += whole.length;
    } else {
      const literal = rest.startsWith("\\") && rest.length > 1 ? rest.slice(1, 2) : rest.slice(0, 1);
      source += literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      at += rest.startsWith("\\") && rest.length > 1 ? 2 : 1;
    }
  }
  try {
    return new RegExp(`^${source}$`, "s");
  } catch {
    // A range that goes backwards.
    return /(?!)/;
  }
}
