import { sortedText } from "../../base/index.ts";
import { isPlainObject, showKind } from "../value.ts";
import { type Data, dataType, isPlainScalar, isText, storeText } from "./data-type.ts";
import { Unsupported, makeFormat } from "./settings-format.ts";

const type = dataType({ name: "a value of JSON", isScalar: (value) => value === null || isPlainScalar(value) });

/** JSON with two spaces of indentation. Source: RFC 8259. */
export const json = makeFormat<Data, Data>({
  name: "JSON",
  whole: type,
  member: type,
  format: (value) => `${formatJson(value, [], "")}\n`,
});

function formatJson(value: unknown, path: readonly string[], indent: string): string {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item, index) => formatJson(item, [...path, String(index)], deeper));
    return items.length === 0 ? "[]" : `[\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}]`;
  }
  if (isPlainObject(value)) {
    const members = sortedText(Object.keys(value))
      .filter((name) => value[name] !== undefined)
      .map((name) => `${jsonText(name, path)}: ${formatJson(value[name], [...path, name], deeper)}`);
    return members.length === 0 ? "{}" : `{\n${deeper}${members.join(`,\n${deeper}`)}\n${indent}}`;
  }
  return value === null ? "null" : formatPlainScalar(value, path);
}

/** Text, a number or a boolean as JSON writes it, which other formats share. */
export function formatPlainScalar(value: unknown, path: readonly string[]): string {
  const text = typeof value === "string" ? value : storeText(value);
  if (text !== undefined) return jsonText(text, path);
  if (!isPlainScalar(value)) throw new Unsupported(path, typeof value === "number" ? String(value) : showKind(value));
  return Object.is(value, -0) ? "0" : String(value);
}

/** Text in double quotes. */
export function jsonText(text: string, path: readonly string[]): string {
  if (!isText(text)) throw new Unsupported(path, "bytes that are no text");
  return JSON.stringify(text);
}
