import { sortedText } from "../../base/index.ts";
import { isPlainObject, showKind } from "../value.ts";
import { type DataSet, dataType, isPlainScalar } from "./data-type.ts";
import { formatPlainScalar, jsonText } from "./json.ts";
import { Unsupported, makeFormat } from "./settings-format.ts";

const options = {
  name: "a value of TOML (there is no null)",
  isScalar: (value: unknown, depth: number) => depth > 0 && isPlainScalar(value),
  listsAt: (depth: number) => depth > 0,
};

/**
 * TOML: tables under their headers, lists of tables as such, all else inline. A number without a fraction is an integer.
 *
 * Source: TOML 1.0.0.
 */
export const toml = makeFormat<DataSet, DataSet[string]>({
  name: "TOML",
  whole: dataType(options),
  member: dataType(options, 1),
  format: (value) => {
    if (!isPlainObject(value)) throw new Unsupported([], showKind(value));
    return formatTable(value, []).join("\n");
  },
});

/** Paragraphs of a table: its own keys below its header, then the tables in it. */
function formatTable(table: object, path: readonly string[], header?: string): string[] {
  const values = table as Readonly<Record<string, unknown>>;
  const names = sortedText(Object.keys(table)).filter((name) => values[name] !== undefined);
  const own = names
    .filter((name) => !isPlainObject(values[name]) && !isTableList(values[name]))
    .map((name) => `${formatKey(name, path)} = ${formatInline(values[name], [...path, name])}\n`);
  const inner = names.flatMap((name) => {
    const value = values[name];
    const at = [...path, name];
    const keys = at.map((part) => formatKey(part, path)).join(".");
    if (isPlainObject(value)) return formatTable(value, at, `[${keys}]`);
    return isTableList(value) ? value.flatMap((item) => formatTable(item, at, `[[${keys}]]`)) : [];
  });
  // The header of a table that only holds tables goes without saying; that of an element of a list does not.
  const needsHeader = header !== undefined && (own.length > 0 || inner.length === 0 || header.startsWith("[["));
  const lines = needsHeader ? [`${header}\n`, ...own] : own;
  return lines.length === 0 ? inner : [lines.join(""), ...inner];
}

function isTableList(value: unknown): value is readonly object[] {
  return Array.isArray(value) && value.length > 0 && value.every(isPlainObject);
}

function formatKey(name: string, path: readonly string[]): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? name : formatText(name, path);
}

function formatInline(value: unknown, path: readonly string[]): string {
  if (Array.isArray(value))
    return `[${value.map((item, index) => formatInline(item, [...path, String(index)])).join(", ")}]`;
  if (isPlainObject(value)) {
    const names = sortedText(Object.keys(value)).filter((name) => value[name] !== undefined);
    const members = names.map((name) => `${formatKey(name, path)} = ${formatInline(value[name], [...path, name])}`);
    return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
  }
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) return formatLarge(value);
  return typeof value === "string" ? formatText(value, path) : formatPlainScalar(value, path);
}

/** A whole number that is too large for an integer of TOML, or may be, as a float. */
function formatLarge(value: number): string {
  const text = String(value);
  return text.includes("e") ? text : `${text}.0`;
}

/** JSON's escapes are TOML's, too, but U+007F has to be one of them. */
function formatText(text: string, path: readonly string[]): string {
  return jsonText(text, path).replaceAll("\x7f", "\\u007f");
}
