import { CodedError } from "./errors.ts";
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

/** Deeper than anything that people or programs write, and far from the end of the stack for those who walk over it. */
const DEEPEST = 200;

/**
 * Read JSON that strangers wrote: what is nested too deep for a function that calls itself is refused.
 *
 * @throws {CodedError} `json.malformed`, `json.too-deep`
 */
export function parseJson(text: string): unknown {
  checkDepth(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CodedError("json.malformed", `Cannot read the JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Whether a value is an object with fields: neither a list nor `null`. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

function checkDepth(text: string): void {
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (isInText) {
      if (unit === BACKSLASH) i++;
      else if (unit === QUOTE) isInText = false;
    } else if (unit === QUOTE) isInText = true;
    else if (unit === OPEN_LIST || unit === OPEN_OBJECT) {
      if (++depth > DEEPEST)
        throw new CodedError("json.too-deep", `Cannot read the JSON: it is nested more than ${DEEPEST} levels deep`);
    } else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth--;
  }
}
