import { CodedError, isRecord, parseJson, sortedText } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";

/** A JSON value whose numbers are written as they were read. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A number that JavaScript would print differently, kept as it was written. */
class Verbatim {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/**
 * The structured attributes of a derivation; `undefined` when it has none.
 *
 * @throws {CodedError} `build.attributes-malformed`
 */
export function attributesOf({ name, env }: Derivation): Readonly<Record<string, unknown>> | undefined {
  const json = env["__json"];
  if (json === undefined) return undefined;
  let value: unknown;
  try {
    value = parseJson(json);
  } catch {
    // Told below.
  }
  if (isRecord(value)) return value;
  throw new CodedError(
    "build.attributes-malformed",
    `Cannot read the structured attributes ("__json") of "${name}": found ${JSON.stringify(json.slice(0, 40))}, expected a JSON object`,
    { exitCode: 100 },
  );
}

/**
 * The two files a builder with structured attributes gets.
 *
 * @param json The `__json` variable of the derivation.
 * @param outputs Output paths by name; they stand in place of the list of names.
 * @param graphs Exported reference graphs by key; see `graphObjects`.
 */
export function structuredAttributes(
  json: string,
  outputs: Readonly<Record<string, string>>,
  graphs: Readonly<Record<string, readonly object[]>>,
): { readonly json: string; readonly shell: string } {
  const attributes: Record<string, unknown> = { ...parseVerbatim(json), ...graphs, outputs };
  return { json: formatCanonicalJson(attributes), shell: formatShell(attributes) };
}

function parseVerbatim(json: string): Record<string, unknown> {
  // The third argument (the source text) is newer than the type declarations of the language.
  const reviver = (_key: string, value: Json, context?: { source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? new Verbatim(context.source)
      : value;
  return JSON.parse(json, reviver as (key: string, value: unknown) => unknown) as Record<string, unknown>;
}

/** Compact JSON with keys in byte order at all levels. */
export function formatCanonicalJson(value: unknown): string {
  if (value instanceof Verbatim) return value.source;
  if (Array.isArray(value)) return `[${value.map(formatCanonicalJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const object = value as Record<string, unknown>;
    return `{${sortedText(Object.keys(object))
      .map((key) => `${JSON.stringify(key)}:${formatCanonicalJson(object[key])}`)
      .join(",")}}`;
  }
  return JSON.stringify(value);
}

const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `declare` lines for a shell to read; what a shell cannot hold (nesting, fractions, other names) is left out. */
function formatShell(attributes: Readonly<Record<string, unknown>>): string {
  let text = "";
  for (const key of sortedText(Object.keys(attributes))) {
    if (!SHELL_NAME.test(key)) continue;
    const value = attributes[key];
    const plain = shellScalar(value);
    if (plain !== undefined) {
      text += `declare ${key}=${plain}\n`;
    } else if (Array.isArray(value)) {
      const items = value.map(shellScalar);
      if (!items.includes(undefined)) text += `declare -a ${key}=(${items.map((item) => `${item} `).join("")})\n`;
    } else if (typeof value === "object" && value !== null && !(value instanceof Verbatim)) {
      const object = value as Record<string, unknown>;
      const items = sortedText(Object.keys(object)).map((name) => [name, shellScalar(object[name])] as const);
      if (items.every(([, item]) => item !== undefined)) {
        text += `declare -A ${key}=(${items.map(([name, item]) => `[${shellQuote(name)}]=${item} `).join("")})\n`;
      }
    }
  }
  return text;
}

function shellScalar(value: unknown): string | undefined {
  if (value instanceof Verbatim) return /^-?[0-9]+$/.test(value.source) ? value.source : undefined;
  if (typeof value === "string") return shellQuote(value);
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : undefined;
  if (value === null) return "''";
  if (typeof value === "boolean") return value ? "1" : "";
  return undefined;
}

/** Text in single quotes for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
