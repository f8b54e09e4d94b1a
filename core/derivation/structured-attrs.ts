import { CodedError, compareText } from "../base/index.ts";

/** Plain data of JSON. Numbers must be whole. */
export type StructuredValue =
  | string
  | number
  | boolean
  | null
  | readonly StructuredValue[]
  | { readonly [key: string]: StructuredValue };

const ESCAPED = /["\\\u0000-\u001f]/g;
const SHORT: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * The `__json` variable of structured attributes: compact, keys in byte order at all levels, everything beyond ASCII as it is.
 *
 * Fractions, U+0008 and U+000C are refused: versions of Nix print them differently, and the hash would not be the same everywhere.
 *
 * @throws {CodedError} `derivation.structured-value`
 */
export function formatStructuredAttrs(value: StructuredValue): string {
  return formatValue(value, 0);
}

/** Builders read it with what calls itself for each level; so do we. */
const DEEPEST = 200;

function formatValue(value: StructuredValue, depth: number): string {
  if (depth > DEEPEST) {
    throw new CodedError(
      "derivation.structured-value",
      `Cannot put a value into structured attributes: it is nested more than ${DEEPEST} levels deep`,
    );
  }
  if (typeof value === "string") return quoteJson(value);
  if (typeof value === "number") return formatWhole(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map((each) => formatValue(each, depth + 1)).join(",")}]`;
  const fields = Object.entries(value as { readonly [key: string]: StructuredValue }).sort(([a], [b]) =>
    compareText(a, b),
  );
  return `{${fields.map(([key, field]) => `${quoteJson(key)}:${formatValue(field, depth + 1)}`).join(",")}}`;
}

function formatWhole(value: number): string {
  if (Number.isSafeInteger(value)) return String(value);
  throw new CodedError(
    "derivation.structured-value",
    `Cannot put ${value} into structured attributes: expected a whole number`,
    {
      hint: "Write it as a string.",
    },
  );
}

function quoteJson(text: string): string {
  return `"${text.replace(ESCAPED, (c) => {
    if (c === "\b" || c === "\f") {
      throw new CodedError(
        "derivation.structured-value",
        `Cannot put ${JSON.stringify(text)} into structured attributes: ${JSON.stringify(c)} is written differently by versions of Nix`,
      );
    }
    return SHORT[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  })}"`;
}
