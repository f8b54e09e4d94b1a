import { type Diagnostic, type SourceLocation, compareText } from "../base/index.ts";
import { ORDER_PLAIN, PRIORITY_DECLARED, PRIORITY_PLAIN, isMarked, unmark } from "./priority.ts";
import { contentText, showValue } from "./value.ts";

/** One module's value for one option. */
export interface Definition {
  readonly value: unknown;
  /** The lowest number wins; see `priority.ts`. */
  readonly priority: number;
  /** Position among elements or lines; the lowest comes first. */
  readonly order: number;
  /** Where the author wrote it. */
  readonly at: SourceLocation | undefined;
  /** The key of the module it comes from, and its number within that module's run. */
  readonly module: string;
  readonly index: number;
}

/** Receives what is wrong with a value, so that one evaluation can tell all its faults. */
export type Report = (diagnostic: Diagnostic) => void;

/** Where a definition comes from. */
export interface DefinitionOrigin {
  /** Works out where the author wrote it. */
  readonly place: () => SourceLocation | undefined;
  readonly module: string;
  readonly index: number;
}

/** There are many definitions, and few of their places are told to anybody. */
class PlacedDefinition implements Definition {
  readonly value: unknown;
  readonly priority: number;
  readonly order: number;
  /** One for all parts of what was written in one place. */
  readonly origin: DefinitionOrigin;

  constructor(value: unknown, priority: number, order: number, origin: DefinitionOrigin) {
    this.value = value;
    this.priority = priority;
    this.order = order;
    this.origin = origin;
  }

  get module(): string {
    return this.origin.module;
  }

  get index(): number {
    return this.origin.index;
  }

  get at(): SourceLocation | undefined {
    return this.origin.place();
  }
}

/** Make the definition of a part of another one: own marks first, then those of the whole. */
export function partOf(whole: Definition, value: unknown): Definition {
  if (!isMarked(value)) return new PlacedDefinition(value, PRIORITY_PLAIN, whole.order, originOf(whole));
  const { value: bare, priority, order } = unmark(value);
  return new PlacedDefinition(bare, priority ?? PRIORITY_PLAIN, order ?? whole.order, originOf(whole));
}

/** Like {@link partOf} for a group of options: a mark on the group holds for all in it. */
export function memberOf(group: Definition, value: unknown): Definition {
  if (!isMarked(value)) return new PlacedDefinition(value, group.priority, group.order, originOf(group));
  const { value: bare, priority, order } = unmark(value);
  return new PlacedDefinition(bare, priority ?? group.priority, order ?? group.order, originOf(group));
}

/** The same definition with another value. */
export function withValue(definition: Definition, value: unknown): Definition {
  return new PlacedDefinition(value, definition.priority, definition.order, originOf(definition));
}

/** The same definition without a weight of its own. */
export function withPlainPriority(definition: Definition): Definition {
  return new PlacedDefinition(definition.value, PRIORITY_PLAIN, definition.order, originOf(definition));
}

/** Make a definition from a value as its author wrote it. */
export function makeDefinition(value: unknown, origin: DefinitionOrigin): Definition {
  const { value: bare, priority, order } = unmark(value);
  return new PlacedDefinition(bare, priority ?? PRIORITY_PLAIN, order ?? ORDER_PLAIN, origin);
}

/** The value of an option that its declaration gives. */
export function declaredDefault(value: unknown, place: DefinitionOrigin["place"]): Definition {
  return new PlacedDefinition(value, PRIORITY_DECLARED, ORDER_PLAIN, { place, module: "", index: 0 });
}

function originOf(definition: Definition): DefinitionOrigin {
  return definition instanceof PlacedDefinition
    ? definition.origin
    : { place: () => definition.at, module: definition.module, index: definition.index };
}

/** The definitions whose priority is the strongest among them, in a canonical order. */
export function strongest(definitions: readonly Definition[]): readonly Definition[] {
  let lowest = Number.POSITIVE_INFINITY;
  if (definitions.length === 1) return definitions;
  for (const { priority } of definitions) lowest = Math.min(lowest, priority);
  return definitions.filter(({ priority }) => priority === lowest).sort(compareDefinitions);
}

/**
 * Compare by order, then by the module's key, its own sequence, and last by content.
 * Neither the order of modules nor the place of files in the file system takes part.
 */
function compareDefinitions(a: Definition, b: Definition): number {
  return (
    a.order - b.order ||
    compareText(a.module, b.module) ||
    a.index - b.index ||
    (a.value === b.value ? 0 : compareText(contentText(a.value), contentText(b.value)))
  );
}

/** A place in the form editors and terminals open: `file:line:column`. */
export function showPlace(at: SourceLocation | undefined): string {
  return at === undefined ? "an unknown place" : `${at.file}:${at.line}:${at.column}`;
}

/** One line per definition, for messages about several of them. */
export function showDefinitions(definitions: readonly Definition[]): string {
  return definitions.map(({ value, at }) => `\n  ${showValue(value, 60)} at ${showPlace(at)}`).join("");
}

const WARNINGS = new Set(["module.warning", "option.renamed"]);

/** Whether a diagnostic stops nobody. */
export function isWarning({ code }: Diagnostic): boolean {
  return WARNINGS.has(code);
}

/** A diagnostic with the optional parts left out when they are absent. */
export function diagnose(code: string, message: string, at: SourceLocation | undefined, hint?: string): Diagnostic {
  return {
    code,
    message,
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
  };
}
