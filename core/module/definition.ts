import { type Diagnostic, type SourceLocation, compareText } from "../base/index.ts";
import { ORDER_PLAIN, PRIORITY_PLAIN, unmark } from "./priority.ts";
import { showValue } from "./value.ts";

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

/** Make the definition of a part of another one: own marks first, then those of the whole. */
export function partOf(whole: Definition, value: unknown): Definition {
  const { value: bare, priority, order } = unmark(value);
  return { ...whole, value: bare, priority: priority ?? PRIORITY_PLAIN, order: order ?? whole.order };
}

/** Like {@link partOf} for a group of options: a mark on the group holds for all in it. */
export function memberOf(group: Definition, value: unknown): Definition {
  const { value: bare, priority, order } = unmark(value);
  return { ...group, value: bare, priority: priority ?? group.priority, order: order ?? group.order };
}

/** Make a definition from a value as its author wrote it. */
export function makeDefinition(
  value: unknown,
  from: { readonly at: SourceLocation | undefined; readonly module: string; readonly index: number },
): Definition {
  const { value: bare, priority, order } = unmark(value);
  return { ...from, value: bare, priority: priority ?? PRIORITY_PLAIN, order: order ?? ORDER_PLAIN };
}

/** The definitions whose priority is the strongest among them, in a canonical order. */
export function strongest(definitions: readonly Definition[]): Definition[] {
  let lowest = Number.POSITIVE_INFINITY;
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
    (a.value === b.value ? 0 : compareText(showValue(a.value), showValue(b.value)))
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

/** A diagnostic with the optional parts left out when they are absent. */
export function diagnose(code: string, message: string, at: SourceLocation | undefined, hint?: string): Diagnostic {
  return {
    code,
    message,
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
  };
}
