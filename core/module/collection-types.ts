import { type Definition, type Report, partOf, withValue } from "./definition.ts";
import { type OptionType, mergeDefinitions, mergeEqual } from "./option-type.ts";
import { isPackageLike, isPlainObject } from "./value.ts";

/** A list: definitions are concatenated in order. */
export function listType(element: OptionType): OptionType {
  const name = `list of ${element.name}`;
  return {
    name,
    mismatch: (value) => (Array.isArray(value) ? undefined : `a ${name}`),
    merge: (path, definitions, report) => {
      const merged: unknown[] = [];
      for (const definition of definitions) {
        for (const item of definition.value as readonly unknown[]) {
          const part = partOf(definition, item);
          merged.push(mergeDefinitions(element, `${path}[${merged.length}]`, [part], report));
        }
      }
      return Object.freeze(merged);
    },
    empty: Object.freeze([]),
    ...(element.inner === undefined
      ? {}
      : { inner: { suffix: `.*${element.inner.suffix}`, options: element.inner.options } }),
  };
}

/** An attribute set with free names: the definitions of each name are merged by themselves. */
export function attrsType(element: OptionType): OptionType {
  const name = `attribute set of ${element.name}`;
  return {
    name,
    mismatch: (value) => (isPlainObject(value) ? undefined : `an ${name}`),
    merge: (path, definitions, report) => {
      const byName = new Map<string, Definition[]>();
      for (const definition of definitions) {
        for (const [key, item] of Object.entries(definition.value as object)) {
          if (item === undefined) continue;
          const parts = byName.get(key) ?? [];
          parts.push(partOf(definition, item));
          byName.set(key, parts);
        }
      }
      return mergeByName(path, byName, element, report);
    },
    empty: Object.freeze({}),
    ...(element.inner === undefined
      ? {}
      : { inner: { suffix: `.<name>${element.inner.suffix}`, options: element.inner.options } }),
  };
}

function mergeByName(
  path: string,
  byName: ReadonlyMap<string, readonly Definition[]>,
  element: OptionType,
  report: Report,
): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = {};
  // Sorted, so that reading the names gives the same order whatever the order of modules was.
  for (const key of [...byName.keys()].sort()) {
    const part = mergeDefinitions(element, showMember(path, key), byName.get(key) ?? [], report);
    Object.defineProperty(merged, key, { value: part, enumerable: true });
  }
  return Object.freeze(merged);
}

/** The path of a member, with names that hold a dot in quotes. */
export function showMember(path: string, name: string): string {
  const shown = /^[\w@+-]+$/.test(name) ? name : JSON.stringify(name);
  return path === "" ? shown : `${path}.${shown}`;
}

/** `null`, or a value of another type; a definition of `null` and another one conflict. */
export function nullableType(inner: OptionType): OptionType {
  const name = `null or ${inner.name}`;
  return {
    name,
    mismatch: (value) => (value === null || inner.mismatch(value) === undefined ? undefined : name),
    merge: (path, definitions, report) =>
      definitions.some(({ value }) => value === null)
        ? mergeEqual(path, definitions, report)
        : inner.merge(path, definitions, report),
    ...(inner.inner === undefined ? {} : { inner: inner.inner }),
  };
}

/** A value of the first type that fits all definitions. */
export function oneOfType(types: readonly OptionType[]): OptionType {
  const name = types.map((type) => type.name).join(" or ");
  const fits = (type: OptionType, value: unknown) => type.mismatch(value) === undefined;
  return {
    name,
    mismatch: (value) => (types.some((type) => fits(type, value)) ? undefined : name),
    merge: (path, definitions, report) => {
      const type = types.find((candidate) => definitions.every(({ value }) => fits(candidate, value)));
      return type === undefined ? mergeEqual(path, definitions, report) : type.merge(path, definitions, report);
    },
  };
}

/** A value of a type, or one that `convert` turns into it. */
export function coercedType(from: OptionType, convert: (value: never) => unknown, to: OptionType): OptionType {
  const name = `${to.name} or ${from.name}`;
  const convertOne = (definition: Definition): Definition =>
    to.mismatch(definition.value) === undefined || from.mismatch(definition.value) !== undefined
      ? definition
      : withValue(definition, convert(definition.value as never));
  return {
    name,
    mismatch: (value) => (to.mismatch(value) === undefined || from.mismatch(value) === undefined ? undefined : name),
    merge: (path, definitions, report) => mergeDefinitions(to, path, definitions.map(convertOne), report),
    ...(to.empty === undefined ? {} : { empty: to.empty }),
    ...(to.inner === undefined ? {} : { inner: to.inner }),
  };
}

/** Any value: attribute sets merge deeply, all else has to be equal. */
export const anythingType: OptionType = {
  name: "anything",
  mismatch: () => undefined,
  merge: (path, definitions, report) =>
    definitions.every(({ value }) => isPlainObject(value) && !isPackageLike(value))
      ? attrsType(anythingType).merge(path, definitions, report)
      : mergeEqual(path, definitions, report),
};
