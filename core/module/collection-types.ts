import { sortedText } from "../base/index.ts";
import { type Definition, type Report, isWarning, memberOf, partOf, withValue } from "./definition.ts";
import { type OptionGroup, type OptionType, mergeDefinitions, mergeEqual } from "./option-type.ts";
import { frozenCopy, holdsItself, isPlainObject } from "./value.ts";

/** The name of a type with declared options. */
export const SUBMODULE = "a submodule";

/** A list: definitions are concatenated in order. */
export function listType(element: OptionType, nonEmpty = false): OptionType {
  const name = `${nonEmpty ? "non-empty list" : "list"} of ${many(element)}`;
  return {
    name,
    mismatch: (value) => (Array.isArray(value) && !(nonEmpty && value.length === 0) ? undefined : `a ${name}`),
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
    ...(nonEmpty ? {} : { empty: Object.freeze([]) }),
    parts: { kind: "collection", of: "list", element, suffix: ".*", withElement: (other) => listType(other, nonEmpty) },
    ...(element.inner === undefined ? {} : { inner: { ...element.inner, suffix: `.*${element.inner.suffix}` } }),
  };
}

/** An attribute set with free names: the definitions of each name are merged by themselves. */
export function attrsType(element: OptionType, placeholder = "name"): OptionType {
  const name = `attribute set of ${many(element)}`;
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
    parts: {
      kind: "collection",
      of: "attrs",
      element,
      suffix: `.<${placeholder}>`,
      withElement: (other) => attrsType(other, placeholder),
    },
    ...(element.inner === undefined
      ? {}
      : { inner: { ...element.inner, suffix: `.<${placeholder}>${element.inner.suffix}` } }),
  };
}

function many({ name }: OptionType): string {
  return name === SUBMODULE ? "submodules" : name;
}

function mergeByName(
  path: string,
  byName: ReadonlyMap<string, readonly Definition[]>,
  element: OptionType,
  report: Report,
): Readonly<Record<string, unknown>> {
  const merged: Record<string, unknown> = {};
  // Sorted, so that reading the names gives the same order whatever the order of modules was.
  for (const key of byName.size > 1 ? sortedText(byName.keys()) : byName.keys()) {
    const part = mergeMember(element, showMember(path, key), byName.get(key) ?? [], report);
    Object.defineProperty(merged, key, { value: part, enumerable: true });
  }
  return Object.freeze(merged);
}

/** What a member was merged to, and from what. */
interface MergedMember {
  readonly type: OptionType;
  readonly path: string;
  readonly parts: readonly Definition[];
  readonly result: unknown;
}

/** By the value of the first definition. */
const mergedMembers = new WeakMap<object, MergedMember>();

/**
 * Merge one member, or find that it was merged from the very same values before: a round of rules changes a few members
 * of a large set, such as the services of a machine.
 */
function mergeMember(type: OptionType, path: string, parts: readonly Definition[], report: Report): unknown {
  const key = parts[0]?.value;
  if (typeof key !== "object" || key === null) return mergeDefinitions(type, path, parts, report);
  const known = mergedMembers.get(key);
  if (known?.type === type && known.path === path && isSameList(known.parts, parts)) return known.result;
  let silent = true;
  const result = mergeDefinitions(type, path, parts, (diagnostic) => {
    silent = false;
    report(diagnostic);
  });
  if (silent) mergedMembers.set(key, { type, path, parts, result });
  return result;
}

function isSameList(known: readonly Definition[], parts: readonly Definition[]): boolean {
  return (
    known.length === parts.length &&
    known.every((a, index) => {
      const b = parts[index] as Definition;
      return (
        Object.is(a.value, b.value) &&
        a.priority === b.priority &&
        a.order === b.order &&
        a.module === b.module &&
        a.index === b.index
      );
    })
  );
}

/** The path of a member, with names that hold a dot in quotes. */
export function showMember(path: string, name: string): string {
  const shown = /^[\w@+-]+$/.test(name) ? name : JSON.stringify(name);
  return path === "" ? shown : `${path}.${shown}`;
}

/** The options in values of a type are those in values of a type made from it. */
function innerOf(type: OptionType | undefined): Pick<OptionType, "inner"> {
  return type?.inner === undefined ? {} : { inner: type.inner };
}

/** `null`, or a value of another type; a definition of `null` and another one conflict. */
export function nullableType(inner: OptionType): OptionType {
  const name = `null or ${inner.name}`;
  return {
    name,
    empty: null,
    mismatch: (value) => (value === null || inner.mismatch(value) === undefined ? undefined : name),
    merge: (path, definitions, report) =>
      definitions.some(({ value }) => value === null)
        ? mergeEqual(path, definitions, report)
        : inner.merge(path, definitions, report),
    parts: { kind: "collection", of: "nullable", element: inner, suffix: "", withElement: nullableType },
    ...innerOf(inner),
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
    ...innerOf(types.find(({ inner }) => inner !== undefined)),
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
    ...innerOf(to),
  };
}

/** A value that readers get as `convert` makes it. */
export function appliedType(inner: OptionType, convert: (value: never) => unknown): OptionType {
  // Readers get what this one declaration makes of it.
  const { parts: _, ...rest } = inner;
  return {
    ...rest,
    merge: (path, definitions, report) => {
      let fits = true;
      const value = inner.merge(path, definitions, (diagnostic) => {
        fits &&= isWarning(diagnostic);
        report(diagnostic);
      });
      return fits ? frozenCopy(convert(value as never)) : undefined;
    },
  };
}

/** An attribute set with exactly one of several names. */
export function taggedType(tags: Readonly<Record<string, { readonly type: OptionType }>>): OptionType {
  const names = sortedText(Object.keys(tags));
  const name = `an attribute set with exactly one of ${names.join(", ")}`;
  const tagOf = (value: unknown): string => Object.keys(value as object)[0] as string;
  const isOne = (value: unknown): boolean =>
    isPlainObject(value) && Object.keys(value).length === 1 && Object.hasOwn(tags, tagOf(value));
  return {
    name,
    mismatch: (value) => (isOne(value) ? undefined : name),
    merge: (path, definitions, report) => {
      const tag = tagOf(definitions[0]?.value);
      if (definitions.some(({ value }) => tagOf(value) !== tag)) return mergeEqual(path, definitions, report);
      const parts = definitions.map((definition) =>
        memberOf(definition, (definition.value as Readonly<Record<string, unknown>>)[tag]),
      );
      const type = (tags[tag] as { readonly type: OptionType }).type;
      return Object.freeze({ [tag]: mergeDefinitions(type, showMember(path, tag), parts, report) });
    },
    inner: { suffix: "", options: tags as OptionGroup },
  };
}

const ANYTHING = "anything that is data";

/** Any data: attribute sets merge deeply, lists are concatenated, all else has to be equal. */
export const anythingType: OptionType = {
  name: "anything",
  mismatch: (value) =>
    typeof value === "function" || typeof value === "symbol" || holdsItself(value) ? ANYTHING : undefined,
  merge: (path, definitions, report) => {
    if (definitions.every(({ value }) => isPlainObject(value))) return anythingAttrs.merge(path, definitions, report);
    if (definitions.every(({ value }) => Array.isArray(value))) return anythingList.merge(path, definitions, report);
    return mergeEqual(path, definitions, report);
  },
};

const anythingAttrs = attrsType(anythingType);
const anythingList = listType(anythingType);
