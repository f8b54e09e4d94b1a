import { anythingType, attrsType, coercedType, listType, nullableType, oneOfType } from "./collection-types.ts";
import type { AnyOption, Option, OptionGroup, OptionType, ReadGroup, WriteGroup } from "./option-type.ts";
import {
  boolType,
  enumerationType,
  intType,
  joinedType,
  numberType,
  packageType,
  pathType,
  strType,
} from "./scalar-types.ts";
import { submoduleType } from "./submodule-type.ts";
import type { PackageLike, Stringable } from "./value.ts";

/** What every option may say about itself. */
export interface OptionSettings<Value> {
  /** The value when nobody defines one. Without it, reading waits for a definition. */
  readonly default?: NoInfer<Value>;
  /** One sentence or more, for documentation. */
  readonly description?: string;
  /** A value worth showing, for documentation. */
  readonly example?: unknown;
  /** Left out of documentation. Default: false. */
  readonly internal?: boolean;
  /** At most one definition, and no default to replace. Default: false. */
  readonly readOnly?: boolean;
}

function make<Value, Defined = Value>(type: OptionType, settings: OptionSettings<Value> = {}): Option<Value, Defined> {
  const declared = "default" in settings;
  return {
    kind: "option",
    type,
    default: declared ? settings.default : type.empty,
    hasDefault: declared || type.empty !== undefined,
    isDefaultDeclared: declared,
    description: settings.description,
    example: settings.example,
    internal: settings.internal ?? false,
    readOnly: settings.readOnly ?? false,
  };
}

/** What reading an option gives. */
export type ValueOf<Any> = Any extends Option<infer Value, infer _> ? Value : never;
/** What a definition of an option may say. */
export type DefinedBy<Any> = Any extends Option<infer _, infer Defined> ? Defined : never;

/** Text of a pattern that the whole value has to match. */
export interface TextSettings extends OptionSettings<string> {
  readonly pattern?: RegExp;
  /** The pattern in words, for messages: "a host name". */
  readonly shape?: string;
}

/** A whole number with bounds, both included. */
export interface IntSettings extends OptionSettings<number> {
  readonly min?: number;
  readonly max?: number;
}

/** Makers of options, one per type. Collections (`listOf`, `attrsOf`, `lines`) default to empty. */
export const option = {
  /** `true` or `false`. Definitions have to be equal. */
  bool: (settings?: OptionSettings<boolean>): Option<boolean> => make(boolType, settings),

  /** A whole number. Definitions have to be equal. */
  int: (settings: IntSettings = {}): Option<number> => make(intType(settings.min, settings.max), settings),

  /** A finite number. Definitions have to be equal. */
  number: (settings?: OptionSettings<number>): Option<number> => make(numberType, settings),

  /** A TCP or UDP port: a whole number from 0 to 65535. */
  port: (settings?: OptionSettings<number>): Option<number> => make(intType(0, 65535), settings),

  /** Text. Definitions have to be equal. */
  str: (settings: TextSettings = {}): Option<string> => make(strType(settings.pattern, settings.shape), settings),

  /** Text of which several definitions are joined by newlines. */
  lines: (settings?: OptionSettings<string>): Option<string> => make(joinedType("lines of text", "\n"), settings),

  /** Text of which several definitions are joined by commas. */
  commas: (settings?: OptionSettings<string>): Option<string> =>
    make(joinedType("comma-separated text", ","), settings),

  /** One of a few literal values. */
  enumeration: <const Choice extends string | number | boolean>(
    choices: readonly Choice[],
    settings?: OptionSettings<Choice>,
  ): Option<Choice> => make(enumerationType(choices), settings),

  /** An absolute path as text; a package or a source gives its store path. */
  path: (settings?: OptionSettings<string>): Option<string, string | Stringable> => make(pathType, settings),

  /** A package. Definitions have to be equal. */
  package: (settings?: OptionSettings<PackageLike>): Option<PackageLike> => make(packageType, settings),

  /** A list. Definitions are concatenated; `before` and `after` choose the place. */
  listOf: <Value, Defined>(
    element: Option<Value, Defined>,
    settings?: OptionSettings<readonly Value[]>,
  ): Option<readonly Value[], readonly Defined[]> => make(listType(element.type), settings),

  /** An attribute set with free names, each merged by itself. */
  attrsOf: <Value, Defined>(
    element: Option<Value, Defined>,
    settings?: OptionSettings<{ readonly [name: string]: Value }>,
  ): Option<{ readonly [name: string]: Value }, { readonly [name: string]: Defined }> =>
    make(attrsType(element.type), settings),

  /** `null` or a value of another type. Defaults to `null`. */
  nullOr: <Value, Defined>(
    inner: Option<Value, Defined>,
    settings: OptionSettings<Value | null> = {},
  ): Option<Value | null, Defined | null> => make(nullableType(inner.type), { default: null, ...settings }),

  /** A value of one of several types: the first that fits all definitions merges them. */
  oneOf: <const Members extends readonly AnyOption[]>(
    members: Members,
    settings?: OptionSettings<ValueOf<Members[number]>>,
  ): Option<ValueOf<Members[number]>, DefinedBy<Members[number]>> =>
    make(oneOfType(members.map(({ type }) => type)), settings),

  /** A value of type `to`, or one of type `from` that is converted to it. */
  coerced: <FromValue, FromDefined, Value, Defined>(
    from: Option<FromValue, FromDefined>,
    convert: (value: FromValue) => Defined,
    to: Option<Value, Defined>,
    settings?: OptionSettings<Value>,
  ): Option<Value, Defined | FromDefined> => make(coercedType(from.type, convert, to.type), settings),

  /** Options inside an option, mostly within `attrsOf`. */
  submodule: <const Group extends OptionGroup>(
    options: Group,
    settings?: OptionSettings<ReadGroup<Group>>,
  ): Option<ReadGroup<Group>, WriteGroup<Group>> => make(submoduleType(options), settings),

  /** Any value: attribute sets merge deeply, all else has to be equal. */
  anything: (settings?: OptionSettings<unknown>): Option<unknown> => make(anythingType, settings),
};
