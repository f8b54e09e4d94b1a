import type { Diagnostic } from "../base/index.ts";
import { attrsType, showMember, SUBMODULE } from "./collection-types.ts";
import {
  type Definition,
  type Report,
  declaredDefault,
  diagnose,
  memberOf,
  withPlainPriority,
  withValue,
} from "./definition.ts";
import {
  type AnyOption,
  type OptionGroup,
  type OptionType,
  type ReadGroup,
  type WriteGroup,
  isOption,
  mergeDefinitions,
} from "./option-type.ts";
import { PRIORITY_DECLARED } from "./priority.ts";
import { mergeByRules } from "./submodule-rule.ts";
import { groupFault, unknownOption } from "./unknown-option.ts";
import { isPlainObject } from "./value.ts";

/** What the rule of a submodule receives. It sees nothing but the submodule. */
export interface SubmoduleContext<Group extends OptionGroup = OptionGroup> {
  /** The name it has in the attribute set it lies in, else that of its option; for an element of a list its number. */
  readonly name: string;
  /** The options of the submodule. */
  readonly cfg: ReadGroup<Group>;
  /** Give values to options of the submodule. */
  readonly define: (definitions: Partial<WriteGroup<Group>>) => void;
  readonly check: (holds: boolean, message: string, hint?: string) => void;
  readonly warn: (message: string) => void;
}

/** What the options of a submodule imply for each other. */
export type SubmoduleRule<Group extends OptionGroup = OptionGroup> = (context: SubmoduleContext<Group>) => void;

/** What a submodule has besides its options. */
export interface SubmoduleExtras {
  /** Default: its options imply nothing for each other. */
  readonly rules?: readonly SubmoduleRule[];
  /** The type of names that are not declared. Default: there may be none. */
  readonly freeform?: OptionType | undefined;
}

/** An attribute set with declared names. Every option in it without a default has to be defined. */
export function submoduleType(options: OptionGroup, { rules = [], freeform }: SubmoduleExtras = {}): OptionType {
  const free = freeform === undefined ? undefined : attrsType(freeform);
  return {
    name: SUBMODULE,
    mismatch: (value) => (isPlainObject(value) ? undefined : "an attribute set with the declared options"),
    merge: (path, all, report) => {
      const definitions = all.map(asWritten);
      return rules.length === 0
        ? mergeGroup(path, options, definitions, { report, free })
        : mergeByRules(path, options, definitions, { report, free, rules });
    },
    ...(rules.length === 0 && isComplete(options) ? { empty: Object.freeze({}) } : {}),
    inner: { suffix: "", options, freeform },
    parts: {
      kind: "submodule",
      options,
      rules,
      freeform,
      withParts: (joined, all, free) =>
        submoduleType(joined, { rules: all as readonly SubmoduleRule[], freeform: free }),
    },
  };
}

/** A declared default is weak as a whole; what it says of the options inside is said in earnest. */
function asWritten(definition: Definition): Definition {
  return definition.priority === PRIORITY_DECLARED ? withPlainPriority(definition) : definition;
}

/** Whether all options of a group have a value when nobody defines them. */
function isComplete(group: OptionGroup): boolean {
  return Object.values(group).every((member) => (isOption(member) ? member.hasDefault : isComplete(member)));
}

/** What merging a submodule takes. */
export interface MergeContext {
  readonly report: Report;
  /** The type of all free names together. */
  readonly free: OptionType | undefined;
}

function mergeGroup(
  path: string,
  group: OptionGroup,
  definitions: readonly Definition[],
  { report, free }: MergeContext,
): Readonly<Record<string, unknown>> {
  const byName = new Map<string, Definition[]>();
  const freeParts: Definition[] = [];
  for (const definition of definitions) {
    const given = definition.value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(given)) {
      const value = given[name];
      if (value === undefined) continue;
      if (!Object.hasOwn(group, name)) {
        if (free === undefined) report(unknownOption(path, name, Object.keys(group), definition.at));
        else freeParts.push(withValue(definition, { [name]: value }));
        continue;
      }
      const parts = byName.get(name);
      if (parts === undefined) byName.set(name, [memberOf(definition, value)]);
      else parts.push(memberOf(definition, value));
    }
  }
  const merged: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(group)) {
    merged[name] = mergeMember(showMember(path, name), member, byName.get(name) ?? [], definitions, report);
  }
  if (free !== undefined && freeParts.length > 0) addAll(merged, mergeDefinitions(free, path, freeParts, report));
  return Object.freeze(merged);
}

function addAll(target: Record<string, unknown>, free: unknown): void {
  if (!isPlainObject(free)) return;
  for (const name of Object.keys(free)) Object.defineProperty(target, name, { value: free[name], enumerable: true });
}

function mergeMember(
  path: string,
  member: AnyOption | OptionGroup,
  parts: readonly Definition[],
  whole: readonly Definition[],
  report: Report,
): unknown {
  if (!isOption(member)) {
    return mergeGroup(
      path,
      member,
      parts.filter((part) => {
        const fault = groupFault(path, part);
        if (fault !== undefined) report(fault);
        return fault === undefined;
      }),
      { report, free: undefined },
    );
  }
  if (member.readOnly && parts.length + (member.isDefaultDeclared ? 1 : 0) > 1)
    report(diagnose("option.read-only", `Cannot define option "${path}": it is read-only`, parts[0]?.at));
  // The declared default is a definition like any other, weaker than all that people write.
  const all = member.hasDefault ? [...parts, declaredDefault(member.default, () => undefined)] : parts;
  if (all.length > 0) return mergeDefinitions(member.type, path, all, report);
  report(noInnerValue(path, member.type, whole[0]?.at));
  return undefined;
}

/** The diagnostic for an option of a submodule that has to be defined and is not. */
export function noInnerValue(path: string, type: OptionType, at: Definition["at"]): Diagnostic {
  return diagnose(
    "option.no-value",
    `Cannot read option "${path}": found no definition, expected ${type.name}`,
    at,
    `Define "${path}"; it has no default.`,
  );
}
