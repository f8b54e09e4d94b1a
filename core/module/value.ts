import { sortedText } from "../base/index.ts";

/** Whether a value is an attribute set: an object literal, and not a package, source or other thing. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Values made in another realm have that realm's Object.prototype, whose own prototype is null.
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return plain && !("outPath" in value);
}

/** Anything with a text form of its own, such as a package (its output path) or a local source. */
export type Stringable = object & {
  toString(): string;
  /** Neither a list nor a function, which have a text form, too. */
  readonly length?: never;
};

/** A package or a derivation, as far as options need to know it. */
export interface PackageLike {
  toString(): string;
  /** The store path of the default output. */
  readonly outPath: string;
}

/** Whether a value stands for a store path through its `outPath`. */
export function isPackageLike(value: unknown): value is PackageLike {
  return typeof value === "object" && value !== null && "outPath" in value;
}

/** Data that holds itself is refused by its type, but may be compared before that. */
const DEEPEST = 500;

/**
 * Whether two values are the same for whoever reads them: equal scalars, or structures of such.
 * Objects with a text form of their own are the same when that text is.
 */
export function sameValue(a: unknown, b: unknown, depth = 0): boolean {
  if (Object.is(a, b) || depth > DEEPEST) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameValue(item, b[index], depth + 1));
  }
  if (isPlainObject(a)) {
    if (!isPlainObject(b)) return false;
    const keys = Object.keys(a);
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key], depth + 1))
    );
  }
  if (Array.isArray(b) || isPlainObject(b)) return false;
  return String(a) === String(b);
}

/** A short text for messages; `limit` in characters, none by default. */
export function showValue(value: unknown, limit = Number.POSITIVE_INFINITY): string {
  const text = showWhole(value, 0);
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}

function showWhole(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return value.name === "" ? "a function" : `function ${value.name}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (depth > 6) return "…";
  if (Array.isArray(value)) return `[${value.map((item) => showWhole(item, depth + 1)).join(", ")}]`;
  if (isPlainObject(value)) {
    const parts = Object.keys(value).map((key) => `${key}: ${showWhole(value[key], depth + 1)}`);
    return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
  }
  const name = (value as { readonly name?: unknown }).name;
  return typeof name === "string" ? `package ${name}` : String(value);
}

/** A frozen copy of plain data; packages and other objects are themselves. Data that holds itself is left as it is. */
export function frozenCopy<Value>(value: Value): Value {
  if (typeof value !== "object") return value;
  return holdsItself(value) ? value : (copyFrozen(value) as Value);
}

function copyFrozen(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(copyFrozen));
  if (!isPlainObject(value) || Object.isFrozen(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value))
    Object.defineProperty(copy, key, { value: copyFrozen(value[key]), enumerable: true });
  return Object.freeze(copy);
}

/** Whether plain data contains itself, so that walking through it would not end. */
export function holdsItself(value: unknown, within: readonly unknown[] = []): boolean {
  if (!Array.isArray(value) && !isPlainObject(value)) return false;
  if (within.includes(value)) return true;
  return Object.values(value).some((inner) => holdsItself(inner, [...within, value]));
}

/** All of a value as text, to put values in an order that depends on nothing but what they are. */
export function contentText(value: unknown, depth = 0): string {
  if (depth > DEEPEST) return "…";
  if (typeof value === "function") return String(value);
  if (typeof value !== "object" || value === null) return showWhole(value, 0);
  if (Array.isArray(value)) return `[${value.map((item) => contentText(item, depth + 1)).join(",")}]`;
  if (!isPlainObject(value)) return String(value);
  const parts = sortedText(Object.keys(value)).map(
    (key) => `${JSON.stringify(key)}:${contentText(value[key], depth + 1)}`,
  );
  return `{${parts.join(",")}}`;
}

/** What kind of thing a value is, for "found …, expected …". */
export function showKind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (isPackageLike(value)) return "a package";
  switch (typeof value) {
    case "string":
      return "text";
    case "number":
      return "a number";
    case "boolean":
      return "a boolean";
    case "function":
      return "a function";
    default:
      return isPlainObject(value) ? "an attribute set" : "an object";
  }
}
