import { attrsType, listType } from "../collection-types.ts";
import { type OptionType, mergeEqual } from "../option-type.ts";
import { type Stringable, holdsItself, isPlainObject } from "../value.ts";

/** What settings of a program are made of. Packages and sources stand for their store path. */
export type Data = Scalar | readonly Data[] | DataSet;
/** Settings by name; `undefined` counts as absent. */
export interface DataSet {
  readonly [name: string]: Data | undefined;
}
/** A value that has no parts. */
export type Scalar = null | boolean | number | string | Stringable;

/** What {@link dataType} takes. */
export interface DataTypeOptions {
  /** For messages: "a value of TOML". */
  readonly name: string;
  /** Whether a value without parts can be written at a depth; the outermost value has depth 0. */
  readonly isScalar: (value: unknown, depth: number) => boolean;
  /** Whether a list can be written at a depth. Default: everywhere. */
  readonly listsAt?: (depth: number) => boolean;
  /** Whether an attribute set can be written at a depth. Default: everywhere. */
  readonly setsAt?: (depth: number) => boolean;
}

/** Data of a format: attribute sets merge deeply, lists are concatenated, all else has to be equal. */
export function dataType(options: DataTypeOptions, depth = 0): OptionType {
  const { name, isScalar, listsAt = () => true, setsAt = () => true } = options;
  const isList = (value: unknown) => Array.isArray(value) && listsAt(depth);
  const isSet = (value: unknown) => isPlainObject(value) && setsAt(depth);
  let inner: { readonly attrs: OptionType; readonly list: OptionType } | undefined;
  const parts = () => {
    const type = dataType(options, depth + 1);
    inner ??= { attrs: attrsType(type), list: listType(type) };
    return inner;
  };
  return {
    name,
    mismatch: (value) =>
      isSet(value) || isList(value)
        ? holdsItself(value)
          ? name
          : undefined
        : isScalar(value, depth)
          ? undefined
          : name,
    merge: (path, definitions, report) => {
      if (definitions.every(({ value }) => isPlainObject(value))) return parts().attrs.merge(path, definitions, report);
      if (definitions.every(({ value }) => Array.isArray(value))) return parts().list.merge(path, definitions, report);
      return mergeEqual(path, definitions, report);
    },
  };
}

/** The text that stands for a value in a store, of a package or a source; `undefined` for all else. */
export function storeText(value: unknown): string | undefined {
  const isThing = typeof value === "object" && value !== null && !Array.isArray(value) && !isPlainObject(value);
  return isThing ? String(value) : undefined;
}

/** Whether a text has no bytes that are no text, which are halves of pairs here. */
export function isText(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Whether a value is text, a number or a boolean that has the same meaning in every format. */
export function isPlainScalar(value: unknown): boolean {
  const text = typeof value === "string" ? value : storeText(value);
  if (text !== undefined) return isText(text);
  return typeof value === "boolean" || Number.isFinite(value);
}
