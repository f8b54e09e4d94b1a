import { type Definition, type Report, diagnose, showDefinitions, strongest } from "./definition.ts";
import { adviceOnValue } from "./type-advice.ts";
import { sameValue, showKind, showValue } from "./value.ts";

/** How values of one kind are checked, merged and described. */
export interface OptionType {
  /** For people: "text", "whole number from 0 to 65535", "list of text". */
  readonly name: string;
  /** What is wrong with the outside of a value: `undefined` when it may be merged. */
  readonly mismatch: (value: unknown) => string | undefined;
  /**
   * One value from definitions of equal, strongest priority, each without `mismatch`, in canonical
   * order and never empty. Faults go to `report`; the result is then not used.
   */
  readonly merge: (path: string, definitions: readonly Definition[], report: Report) => unknown;
  /** What an option of this type is when nobody defines it, for collections: empty. */
  readonly empty?: unknown;
  /** Options inside a value, for documentation: their path continues with `suffix`. */
  readonly inner?: InnerOptions;
  /** What it is made of, for types whose options several modules may declare. Default: one module alone declares it. */
  readonly parts?: TypeParts;
}

/** What a type that can be joined with another one of its kind is made of. */
export type TypeParts =
  | {
      readonly kind: "collection";
      readonly of: "list" | "attrs" | "nullable";
      readonly element: OptionType;
      /** What the paths of elements end with, for messages. */
      readonly suffix: string;
      readonly withElement: (element: OptionType) => OptionType;
    }
  | {
      readonly kind: "submodule";
      readonly options: OptionGroup;
      readonly rules: readonly unknown[];
      readonly freeform: OptionType | undefined;
      readonly withParts: (
        options: OptionGroup,
        rules: readonly unknown[],
        freeform: OptionType | undefined,
      ) => OptionType;
    };

/** Options inside a value. */
export interface InnerOptions {
  readonly suffix: string;
  readonly options: OptionGroup;
  /** The type of names beside them, when there may be others. */
  readonly freeform?: OptionType | undefined;
}

declare const read: unique symbol;
declare const write: unique symbol;

/** A declared option: what reading it gives, and what a definition of it may say. */
export interface Option<out Value, in Defined = Value> {
  readonly kind: "option";
  readonly type: OptionType;
  readonly default: unknown;
  /** Whether it has a value when nobody defines it: a declared default, or the type's own empty value. */
  readonly hasDefault: boolean;
  readonly isDefaultDeclared: boolean;
  readonly defaultText: string | undefined;
  readonly description: string | undefined;
  readonly example: unknown;
  readonly related: readonly string[];
  readonly internal: boolean;
  readonly visible: boolean | "shallow";
  readonly readOnly: boolean;
  readonly [read]?: () => Value;
  readonly [write]?: (defined: Defined) => void;
}

// biome-ignore lint/suspicious/noExplicitAny: the two sides vary in opposite directions, so only `any` covers all.
export type AnyOption = Option<any, any>;

/** Options by name, in groups. */
export interface OptionGroup {
  readonly [name: string]: AnyOption | OptionGroup;
}

/** Whether a member of a group is an option and not a group. */
export function isOption(member: AnyOption | OptionGroup): member is AnyOption {
  return (member as { readonly kind?: unknown }).kind === "option";
}

/** What reading a group of options gives. */
export type ReadGroup<Group> = {
  readonly [Name in keyof Group]: Group[Name] extends Option<infer Value, infer _> ? Value : ReadGroup<Group[Name]>;
};

/** An option that every definition of the group around it has to say. */
export interface RequiredOption<out Value, in Defined = Value> extends Option<Value, Defined> {
  readonly isRequired: true;
}

type RequiredNames<Group> = {
  // biome-ignore lint/suspicious/noExplicitAny: the two sides vary in opposite directions, so only `any` covers all.
  [Name in keyof Group]: Group[Name] extends RequiredOption<any, any> ? Name : never;
}[keyof Group];

type WrittenBy<Member> = Member extends Option<infer _, infer Defined> ? Defined : WriteGroup<Member>;

/** What a definition of a group of options may say. */
export type WriteGroup<Group> = [RequiredNames<Group>] extends [never]
  ? { [Name in keyof Group]?: WrittenBy<Group[Name]> | undefined }
  : WriteRequiredGroup<Group>;

/** {@link WriteGroup} for a group with options that nobody may leave out. */
export type WriteRequiredGroup<Group> = {
  [Name in Exclude<keyof Group, RequiredNames<Group>>]?: WrittenBy<Group[Name]> | undefined;
} & { [Name in RequiredNames<Group>]: WrittenBy<Group[Name]> };

/**
 * Merge definitions of any priorities to a value of a type: the strongest are chosen, checked, merged.
 * `definitions` must not be empty.
 */
export function mergeDefinitions(
  type: OptionType,
  path: string,
  definitions: readonly Definition[],
  report: Report,
): unknown {
  const chosen = strongest(definitions);
  let fits = true;
  for (const definition of chosen) {
    const expected = type.mismatch(definition.value);
    if (expected === undefined) continue;
    fits = false;
    report(
      diagnose(
        "option.wrong-type",
        `Cannot use ${showValue(definition.value, 60)} for option "${path}": found ${showKind(definition.value)}, expected ${expected}`,
        definition.at,
        adviceOnValue(definition.value, expected),
      ),
    );
  }
  return fits ? type.merge(path, chosen, report) : undefined;
}

/** The merge of types that one place alone may define. */
export function mergeOnly(path: string, definitions: readonly Definition[], report: Report): unknown {
  if (definitions.length > 1) {
    report(
      diagnose(
        "option.conflict",
        `Cannot merge option "${path}": found ${definitions.length} definitions, expected one:${showDefinitions(definitions)}`,
        definitions[0]?.at,
        "Keep one of them, or give one more weight with force(…) or less with defaults(…).",
      ),
    );
  }
  return definitions[0]?.value;
}

/** The merge of types whose definitions have to agree. */
export function mergeEqual(path: string, definitions: readonly Definition[], report: Report): unknown {
  const [first] = definitions;
  if (first === undefined) return undefined;
  if (definitions.length > 1 && definitions.some(({ value }) => !sameValue(value, first.value))) {
    report(
      diagnose(
        "option.conflict",
        `Cannot merge option "${path}": found ${definitions.length} definitions, expected them to be equal:${showDefinitions(definitions)}`,
        first.at,
        "Keep one of them, or give one more weight with force(…) or less with defaults(…).",
      ),
    );
  }
  return first.value;
}
