import { CodedError } from "../base/index.ts";
import type { StructuredValue } from "./structured-attrs.ts";

function refuse(value: unknown, where: string, expected: string): never {
  const found =
    value === null ? "null" : typeof value === "object" ? "an object without a text form" : `a ${typeof value}`;
  throw new CodedError(
    "derivation.bad-value",
    `Cannot put ${where} into a derivation: found ${found}, expected ${expected}`,
    { hint: "Take the text out of it (value.name), or write it down as JSON: JSON.stringify(value)." },
  );
}

/** Objects with a text form of their own: packages, sources, derivations. A literal or a JSON object has none. */
function hasTextForm(value: object): boolean {
  const method: unknown = Reflect.get(value, "toString");
  if (typeof method !== "function") return false;
  if (Object.hasOwn(value, "toString")) return true;
  // Plain objects have the root prototype, of whichever realm they come from.
  let owner = Object.getPrototypeOf(value) as object | null;
  while (owner !== null && !Object.hasOwn(owner, "toString")) owner = Object.getPrototypeOf(owner) as object | null;
  return owner !== null && Object.getPrototypeOf(owner) !== null;
}

/**
 * The text an environment variable gets: true → `1`, false and null → empty, whole numbers in decimal, other numbers with
 * six digits, lists joined by one space, objects by their text form.
 *
 * Source: Nix, `coerceToString` with `coerceMore`.
 *
 * @param where Names the value in the error: `variable "src"`.
 * @throws {CodedError} `derivation.bad-value`
 */
export function coerceToText(value: unknown, where: string): string {
  switch (typeof value) {
    case "string":
      if (value.includes("\0")) refuse(value, where, "a text without NUL");
      return value;
    case "boolean":
      return value ? "1" : "";
    case "bigint":
      return value.toString();
    case "number":
      if (!Number.isFinite(value)) return refuse(value, where, "a finite number");
      return Number.isInteger(value) ? BigInt(value).toString() : value.toFixed(6);
    case "object":
      if (value === null) return "";
      if (Array.isArray(value)) return joinList(value as readonly unknown[], where);
      if (hasTextForm(value)) return coerceToText(String(value), where);
      return refuse(value, where, "a string, number, boolean, list, package or source");
    default:
      return refuse(value, where, "a string, number, boolean, list, package or source");
  }
}

/** An empty inner list leaves no space behind it, except that, as in Nix, one at the end leaves that of its predecessor. */
function joinList(list: readonly unknown[], where: string): string {
  const items = list.filter((item) => item !== undefined);
  let text = "";
  items.forEach((item, i) => {
    text += coerceToText(item, where);
    if (i < items.length - 1 && !(Array.isArray(item) && item.length === 0)) text += " ";
  });
  return text;
}

/** The same value as plain JSON data, with text forms in place of objects that have one; `undefined` fields are dropped. */
export function toStructured(value: unknown, where: string): StructuredValue {
  if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number")
    return value;
  if (Array.isArray(value)) return value.filter((item) => item !== undefined).map((item) => toStructured(item, where));
  if (typeof value !== "object") return refuse(value, where, "plain data, a package or a source");
  if (hasTextForm(value)) return String(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([key, field]) => [key, toStructured(field, `${where}.${key}`)]));
}
