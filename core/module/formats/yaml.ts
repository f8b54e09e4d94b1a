import { sortedText } from "../../base/index.ts";
import { isPlainObject } from "../value.ts";
import { type Data, dataType, isPlainScalar } from "./data-type.ts";
import { formatPlainScalar, jsonText } from "./json.ts";
import { makeFormat } from "./settings-format.ts";

const type = dataType({ name: "a value of YAML", isScalar: (value) => value === null || isPlainScalar(value) });

/**
 * YAML in block style. Text that could be taken for something else, by readers of YAML 1.1 as well, is in double quotes.
 *
 * Source: YAML 1.2.2; the words that YAML 1.1 takes for booleans and null.
 */
export const yaml = makeFormat<Data, Data>({
  name: "YAML",
  whole: type,
  member: type,
  format: (value) => `${formatLines(value, []).join("\n")}\n`,
});

/** The lines of a value, to stand at the beginning of a line of their own. */
function formatLines(value: unknown, path: readonly string[]): string[] {
  if (Array.isArray(value) && value.length > 0) {
    return value.flatMap((item, index) => {
      const [first, ...rest] = formatLines(item, [...path, String(index)]);
      return [`- ${first}`, ...rest.map((line) => `  ${line}`)];
    });
  }
  const names = isPlainObject(value) ? sortedText(Object.keys(value)).filter((name) => value[name] !== undefined) : [];
  if (isPlainObject(value) && names.length > 0) {
    return names.flatMap((name) => {
      const at = [...path, name];
      const inner = value[name];
      const lines = formatLines(inner, at);
      const key = formatText(name, at);
      return isBlock(inner) ? [`${key}:`, ...lines.map((line) => `  ${line}`)] : [`${key}: ${lines[0]}`];
    });
  }
  return [Array.isArray(value) ? "[]" : isPlainObject(value) ? "{}" : formatScalar(value, path)];
}

function isBlock(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isPlainObject(value) && Object.values(value).some((member) => member !== undefined);
}

function formatScalar(value: unknown, path: readonly string[]): string {
  if (value === null) return "null";
  if (typeof value === "string") return formatText(value, path);
  const text = formatPlainScalar(value, path);
  // Readers of YAML 1.1 take a number with an exponent for text unless it has a point.
  return typeof value === "number" ? text.replace(/^(-?\d+)e/, "$1.0e") : escapeRest(text);
}

const PLAIN = /^[A-Za-z/_][\w/.-]*(?: [\w/.-]+)*$/;
const MEANS_ELSE = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

function formatText(text: string, path: readonly string[]): string {
  return PLAIN.test(text) && !MEANS_ELSE.test(text) ? text : escapeRest(jsonText(text, path));
}

/** JSON's escapes are YAML's, too; these characters have to be escaped besides. */
function escapeRest(quoted: string): string {
  return quoted.replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
