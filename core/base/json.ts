import { sortedText } from "./text.ts";

/**
 * The one text of plain data as JSON: keys in UTF-8 byte order at all levels, beyond ASCII as it is; fields that are `undefined`
 * are left out.
 *
 * `JSON.stringify` cannot do it: it puts keys that look like numbers first, whatever order an object was made in.
 *
 * @param indent Spaces for each level, with every entry on a line of its own. Default 0: no spaces at all.
 */
export function formatSortedJson(value: unknown, indent = 0): string {
  return formatValue(value, indent === 0 ? undefined : " ".repeat(indent), "");
}

function formatValue(value: unknown, step: string | undefined, margin: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = margin + (step ?? "");
  const list = Array.isArray(value);
  const entries = list
    ? value.map((each) => formatValue(each ?? null, step, inner))
    : sortedText(Object.keys(value))
        .filter((key) => (value as Record<string, unknown>)[key] !== undefined)
        .map((key) => {
          const field = formatValue((value as Record<string, unknown>)[key], step, inner);
          return `${JSON.stringify(key)}:${step === undefined ? "" : " "}${field}`;
        });
  const [open, close] = list ? "[]" : "{}";
  if (entries.length === 0) return `${open}${close}`;
  if (step === undefined) return `${open}${entries.join(",")}${close}`;
  return `${open}\n${entries.map((entry) => inner + entry).join(",\n")}\n${margin}${close}`;
}
