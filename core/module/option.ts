import {
  anythingType,
  appliedType,
  attrsType,
  coercedType,
  listType,
  nullableType,
  oneOfType,
  taggedType,
} from "./collection-types.ts";
import { type Deferred, deferredModuleType } from "./deferred-type.ts";
import type { Module } from "./module.ts";
import type {
  AnyOption,
  Option,
  OptionGroup,
  OptionType,
  ReadGroup,
  RequiredOption,
  WriteGroup,
} from "./option-type.ts";
import {
  boolType,
  enumerationType,
  flagType,
  intType,
  joinedType,
  numberType,
  packageType,
  pathType,
  rawType,
  strType,
  uniqueType,
} from "./scalar-types.ts";
import { type SubmoduleRule, submoduleType } from "./submodule-type.ts";
import { type PackageLike, type Stringable, frozenCopy } from "./value.ts";

/** What every option may say about itself. */
export interface OptionSettings<Defined> {
  /**
   * What it is when nobody defines it, written as a definition is and checked like one. Without it, reading waits for
   * a definition. It cannot read the configuration: computed defaults are definitions with `defaults(…)`.
   */
  readonly default?: NoInfer<Defined>;
  /** The default in words, for documentation, where a definition with `defaults(…)` computes it: "the host's name". */
  readonly defaultText?: string;
  /** One sentence or more, for documentation. */
  readonly description?: string;
  /** A value worth showing, for documentation. */
  readonly example?: unknown;
  /** Options and packages to look at as well, for documentation. */
  readonly related?: readonly string[];
  /** For the modules of Floe among themselves: left out of documentation, with all in it. Default: false. */
  readonly internal?: boolean;
  /** Whether documentation shows it; `shallow`: without the options in it. Default: true. */
  readonly visible?: boolean | "shallow";
  /** At most one definition, of whatever priority; a declared default counts as one. Default: false. */
  readonly readOnly?: boolean;
}

/** Make an option of a type; `option` has makers for all but the types of formats. */
export function optionOfType<Value, Defined = Value>(
  type: OptionType,
  settings: OptionSettings<Defined> = {},
): Option<Value, Defined> {
  const declared = "default" in settings;
  return {
    kind: "option",
    type,
    default: frozenCopy(declared ? settings.default : type.empty),
    hasDefault: declared || type.empty !== undefined,
    isDefaultDeclared: declared,
    defaultText: settings.defaultText,
    description: settings.description,
    example: settings.example,
    related: settings.related ?? [],
    internal: settings.internal ?? false,
    visible: settings.visible ?? true,
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

/** A number with bounds, both included. */
export interface NumberSettings extends OptionSettings<number> {
  readonly min?: number;
  readonly max?: number;
}

/** What a path has to be besides text. */
export interface PathSettings extends OptionSettings<string | Stringable> {
  /** Default: true. */
  readonly absolute?: boolean;
  /** Whether it has to lie in the store, or must not: `false` for secrets, which everybody could read there. */
  readonly inStore?: boolean;
}

/** A list that may have to hold something. */
export interface ListSettings<Defined> extends OptionSettings<readonly Defined[]> {
  /** Whether an empty list is refused; there is no empty default then. Default: false. */
  readonly nonEmpty?: boolean;
}

/** An attribute set with free names. */
export interface AttrsSettings<Defined> extends OptionSettings<{ readonly [name: string]: Defined }> {
  /** What a free name is called in documentation: `host` for `services.web.hosts.<host>`. Default: `name`. */
  readonly placeholder?: string;
}

/** Options in an option, with what follows from them. */
export interface SubmoduleSettings<Group extends OptionGroup, FreeValue, FreeDefined>
  extends OptionSettings<WriteGroup<Group>> {
  /** What the options imply for each other, such as defaults that depend on the name. */
  readonly rule?: SubmoduleRule<Group>;
  /** Names that are not declared are taken, too, and have this type: settings of a program, for example. */
  readonly freeform?: Option<FreeValue, FreeDefined>;
}

/** What reading a submodule gives. */
export type ReadSubmodule<Group, FreeValue> = [FreeValue] extends [never]
  ? ReadGroup<Group>
  : ReadGroup<Group> & { readonly [name: string]: FreeValue };
/** What a definition of a submodule may say. */
export type WriteSubmodule<Group, FreeDefined> = [FreeDefined] extends [never]
  ? WriteGroup<Group>
  : WriteGroup<Group> & { readonly [name: string]: FreeDefined | undefined };

/** Options by tag, exactly one of which a value has. */
export interface Tags {
  readonly [tag: string]: AnyOption;
}
type ReadTags<Of extends Tags> = { [Tag in keyof Of]: { readonly [Name in Tag]: ValueOf<Of[Tag]> } }[keyof Of];
type WriteTags<Of extends Tags> = { [Tag in keyof Of]: { readonly [Name in Tag]: DefinedBy<Of[Tag]> } }[keyof Of];

const whole =
  (min: number | undefined, max: number | undefined) =>
  (settings?: OptionSettings<number>): Option<number> =>
    optionOfType(intType(min, max), settings);

/**
 * Makers of options, one per type. Collections (`listOf`, `attrsOf`, `lines`) default to empty, a submodule to its own
 * defaults when all its options have one.
 */
export const option = {
  /** `true` or `false`. Definitions have to be equal. */
  bool: (settings?: OptionSettings<boolean>): Option<boolean> => optionOfType(boolType, settings),

  /** `true` when at least one definition is. */
  boolByOr: (settings?: OptionSettings<boolean>): Option<boolean> => optionOfType(flagType, settings),

  /** A whole number. Definitions have to be equal. */
  int: (settings: NumberSettings = {}): Option<number> => optionOfType(intType(settings.min, settings.max), settings),

  /** A whole number from 0. */
  unsigned: whole(0, undefined),
  /** A whole number from 1. */
  positive: whole(1, undefined),
  /** A whole number of 8 bits, from 0 to 255. */
  u8: whole(0, 0xff),
  /** A whole number of 16 bits, from 0 to 65535. */
  u16: whole(0, 0xffff),
  /** A whole number of 32 bits, from 0 to 4294967295. */
  u32: whole(0, 0xffffffff),
  /** A whole number of 8 bits with a sign, from -128 to 127. */
  s8: whole(-0x80, 0x7f),
  /** A whole number of 16 bits with a sign, from -32768 to 32767. */
  s16: whole(-0x8000, 0x7fff),
  /** A whole number of 32 bits with a sign, from -2147483648 to 2147483647. */
  s32: whole(-0x80000000, 0x7fffffff),

  /** A finite number. Definitions have to be equal. */
  number: (settings: NumberSettings = {}): Option<number> =>
    optionOfType(numberType(settings.min, settings.max), settings),

  /** A TCP or UDP port: a whole number from 0 to 65535. */
  port: whole(0, 0xffff),

  /** Text. Definitions have to be equal. */
  str: (settings: TextSettings = {}): Option<string> =>
    optionOfType(strType(settings.pattern, settings.shape), settings),

  /** Text that the pattern matches as a whole. */
  strMatching: (pattern: RegExp, settings?: OptionSettings<string>): Option<string> =>
    optionOfType(strType(pattern), settings),

  /** Text with something else than white space in it. */
  nonEmptyStr: (settings?: OptionSettings<string>): Option<string> =>
    optionOfType(strType(/[\s\S]*\S[\s\S]*/, "text that is not empty"), settings),

  /** Text without a line break. */
  singleLineStr: (settings?: OptionSettings<string>): Option<string> =>
    optionOfType(strType(/[^\r\n]*/, "text of one line"), settings),

  /** Text of which several definitions are joined by newlines. */
  lines: (settings?: OptionSettings<string>): Option<string> =>
    optionOfType(joinedType("lines of text", "\n"), settings),

  /** Text of which several definitions are joined by commas. */
  commas: (settings?: OptionSettings<string>): Option<string> =>
    optionOfType(joinedType("comma-separated text", ","), settings),

  /** Text of which several definitions are joined by a separator. */
  separated: (separator: string, settings?: OptionSettings<string>): Option<string> =>
    optionOfType(joinedType(`text separated by ${JSON.stringify(separator)}`, separator), settings),

  /** One of a few literal values. Definitions have to be equal. */
  enumeration: <const Choice extends string | number | boolean>(
    choices: readonly Choice[],
    settings?: OptionSettings<Choice>,
  ): Option<Choice> => optionOfType(enumerationType(choices), settings),

  /** An absolute path as text; a package or a source gives its store path. */
  path: ({ absolute, inStore, ...settings }: PathSettings = {}): Option<string, string | Stringable> =>
    optionOfType(pathType({ absolute, inStore }), settings),

  /** A package. Definitions have to be equal. */
  package: (settings?: OptionSettings<PackageLike>): Option<PackageLike> => optionOfType(packageType, settings),

  /** A list. Definitions are concatenated; `before`, `after` and `withOrder` choose the place. */
  listOf: <Value, Defined>(
    element: Option<Value, Defined>,
    { nonEmpty, ...settings }: ListSettings<Defined> = {},
  ): Option<readonly Value[], readonly Defined[]> => optionOfType(listType(element.type, nonEmpty), settings),

  /** An attribute set with free names, each merged by itself: priorities count for a name alone. */
  attrsOf: <Value, Defined>(
    element: Option<Value, Defined>,
    { placeholder, ...settings }: AttrsSettings<Defined> = {},
  ): Option<{ readonly [name: string]: Value }, { readonly [name: string]: Defined }> =>
    optionOfType(attrsType(element.type, placeholder), settings),

  /** `null` or a value of another type. Defaults to `null`. */
  nullOr: <Value, Defined>(
    inner: Option<Value, Defined>,
    settings: OptionSettings<Defined | null> = {},
  ): Option<Value | null, Defined | null> => optionOfType(nullableType(inner.type), settings),

  /** A value of one of two types, see {@link option.oneOf}. */
  either: <LeftValue, LeftDefined, RightValue, RightDefined>(
    left: Option<LeftValue, LeftDefined>,
    right: Option<RightValue, RightDefined>,
    settings?: OptionSettings<LeftDefined | RightDefined>,
  ): Option<LeftValue | RightValue, LeftDefined | RightDefined> =>
    optionOfType(oneOfType([left.type, right.type]), settings),

  /** A value of one of several types: the first that fits all definitions merges them. */
  oneOf: <const Members extends readonly AnyOption[]>(
    members: Members,
    settings?: OptionSettings<DefinedBy<Members[number]>>,
  ): Option<ValueOf<Members[number]>, DefinedBy<Members[number]>> =>
    optionOfType(oneOfType(members.map(({ type }) => type)), settings),

  /** An attribute set with exactly one of several names, each with a type of its own. */
  tagged: <const Of extends Tags>(
    tags: Of,
    settings?: OptionSettings<WriteTags<Of>>,
  ): Option<ReadTags<Of>, WriteTags<Of>> => optionOfType(taggedType(tags), settings),

  /** A value of type `to`, or one of type `from` that is converted to it. */
  coerced: <FromValue, FromDefined, Value, Defined>(
    from: Option<FromValue, FromDefined>,
    convert: (value: FromValue) => Defined,
    to: Option<Value, Defined>,
    settings?: OptionSettings<Defined | FromDefined>,
  ): Option<Value, Defined | FromDefined> => optionOfType(coercedType(from.type, convert, to.type), settings),

  /**
   * An option whose merged value readers get in another form.
   *
   * @param convert Must depend on the value alone. What it throws is told at the option's definition.
   */
  apply: <Value, Defined, Applied>(
    inner: Option<Value, Defined>,
    convert: (value: Value) => Applied,
  ): Option<Applied, Defined> =>
    ({ ...inner, type: appliedType(inner.type, convert) }) as unknown as Option<Applied, Defined>,

  /** A value of another type that one place alone may define, even where several would merge. */
  unique: <Value, Defined>(inner: Option<Value, Defined>, settings?: OptionSettings<Defined>): Option<Value, Defined> =>
    optionOfType(uniqueType(inner.type), settings),

  /**
   * An option that nobody may leave out: who defines the submodule or group around it has to say it, or `tsc` tells them. For what
   * one definition says alone; a value that another module may contribute is an option without a default.
   */
  required: <Value, Defined>(inner: Option<Value, Defined>): RequiredOption<Value, Defined> => ({
    ...inner,
    isRequired: true,
  }),

  /** Options inside an option, mostly within `attrsOf`. */
  submodule: <const Group extends OptionGroup, FreeValue = never, FreeDefined = never>(
    options: Group,
    { rule, freeform, ...settings }: SubmoduleSettings<Group, FreeValue, FreeDefined> = {},
  ): Option<ReadSubmodule<Group, FreeValue>, WriteSubmodule<Group, FreeDefined>> =>
    optionOfType(
      submoduleType(options, { rules: rule === undefined ? [] : [rule as SubmoduleRule], freeform: freeform?.type }),
      settings as never,
    ),

  /**
   * Modules and definitions for a configuration that is evaluated elsewhere: of another machine, of a variant of this
   * one. Here they are collected and not looked into.
   */
  deferredModule: (settings?: OptionSettings<Deferred>): Option<readonly Module[], Deferred> =>
    optionOfType(deferredModuleType, settings),

  /** Any data: attribute sets merge deeply, lists are concatenated, all else has to be equal. Functions are none. */
  anything: (settings?: OptionSettings<unknown>): Option<unknown> => optionOfType(anythingType, settings),

  /**
   * A value that is neither looked into nor merged; one place alone defines it. A function has to be the same one in
   * each run of a rule, so it is made outside of the rule.
   */
  raw: <Value = unknown>(settings?: OptionSettings<Value>): Option<Value> => optionOfType(rawType, settings),
} as const;
