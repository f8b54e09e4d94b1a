import { type Definition, type Report, withValue } from "./definition.ts";
import { type OptionType, mergeEqual, mergeOnly } from "./option-type.ts";
import { type PackageLike, isPackageLike } from "./value.ts";

function scalar(name: string, accepts: (value: unknown) => boolean): OptionType {
  return { name, mismatch: (value) => (accepts(value) ? undefined : name), merge: mergeEqual };
}

/** `true` or `false`. */
export const boolType: OptionType = scalar("true or false", (value) => typeof value === "boolean");

/** `true` when at least one definition is. */
export const flagType: OptionType = {
  name: "true or false",
  mismatch: boolType.mismatch,
  merge: (_path, definitions) => definitions.some(({ value }) => value === true),
};

/** A whole number between two bounds, both included. */
export function intType(min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER): OptionType {
  if (min === Number.MIN_SAFE_INTEGER && max === Number.MAX_SAFE_INTEGER) return anyInt;
  return boundedInt(min, max);
}

function boundedInt(min: number, max: number): OptionType {
  const bounds =
    min === Number.MIN_SAFE_INTEGER
      ? max === Number.MAX_SAFE_INTEGER
        ? ""
        : ` up to ${max}`
      : max === Number.MAX_SAFE_INTEGER
        ? ` from ${min}`
        : ` from ${min} to ${max}`;
  return scalar(
    `a whole number${bounds}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

const anyInt = boundedInt(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** A finite number between two bounds, both included. */
export function numberType(min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY): OptionType {
  const from = min === Number.NEGATIVE_INFINITY ? "" : ` from ${min}`;
  const to = max === Number.POSITIVE_INFINITY ? "" : from === "" ? ` up to ${max}` : ` to ${max}`;
  return scalar(
    `a number${from}${to}`,
    (value) => Number.isFinite(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** Text, whole-matched by a pattern if one is given. */
export function strType(pattern?: RegExp, shape?: string): OptionType {
  if (pattern === undefined) return anyText;
  const whole = new RegExp(`^(?:${pattern.source})$`, pattern.flags);
  return scalar(
    shape ?? `text of the form ${pattern.source}`,
    (value) => typeof value === "string" && whole.test(value),
  );
}

const anyText: OptionType = scalar("text", (value) => typeof value === "string");

/** Text of which several definitions are joined by a separator, in order. */
export function joinedType(name: string, separator: string): OptionType {
  return {
    name,
    mismatch: (value) => (typeof value === "string" ? undefined : name),
    merge: (_path, definitions) => definitions.map(({ value }) => value as string).join(separator),
    empty: "",
  };
}

/** One of a few values. */
export function enumerationType(values: readonly (string | number | boolean)[]): OptionType {
  const name = `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;
  return scalar(name, (value) => values.includes(value as string));
}

/** What a path has to be besides text. */
export interface PathShape {
  readonly absolute?: boolean | undefined;
  readonly inStore?: boolean | undefined;
}

/** A path as text; packages and sources are taken by their store path. */
export function pathType({ absolute = true, inStore }: PathShape): OptionType {
  const kind = absolute ? "an absolute path" : "a path";
  const name = inStore === undefined ? kind : `${kind} ${inStore ? "in" : "outside of"} the store`;
  const fits = (text: string | undefined): boolean =>
    text !== undefined &&
    text !== "" &&
    (!absolute || text.startsWith("/")) &&
    (inStore === undefined || STORE.test(text) === inStore);
  return {
    name,
    mismatch: (value) => (fits(pathText(value)) ? undefined : name),
    merge: (path, definitions, report) => pathText(mergeEqual(path, definitions.map(asText), report)),
  };
}

const STORE = /^\/+nix\/+store(?:\/|$)/;

function pathText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? String(value) : undefined;
}

function asText(definition: Definition): Definition {
  return withValue(definition, pathText(definition.value));
}

/** A package or another derivation. */
export const packageType: OptionType = {
  name: "a package",
  mismatch: (value) => (isPackageLike(value) ? undefined : "a package"),
  merge: (path: string, definitions: readonly Definition[], report: Report): PackageLike =>
    mergeEqual(path, definitions, report) as PackageLike,
};

/** A value of another type that has one definition only. */
export function uniqueType(inner: OptionType): OptionType {
  const { parts: _, ...rest } = inner;
  return {
    ...rest,
    merge: (path, definitions, report) => {
      mergeOnly(path, definitions, report);
      return inner.merge(path, definitions.slice(0, 1), report);
    },
  };
}

/** Any value, which is not looked into. */
export const rawType: OptionType = { name: "any value", mismatch: () => undefined, merge: mergeOnly };
