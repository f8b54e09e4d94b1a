import { type SourceLocation, compareText } from "../base/index.ts";
import type { Cell, Source } from "./cell.ts";
import { type Definition, strongest } from "./definition.ts";
import { type OptionDocumentation, documentNode, documentNodes } from "./docs.ts";
import type { Settled } from "./fixpoint.ts";

/** A module, as far as a relation to an option needs it. */
export interface ModuleReference {
  readonly key: string;
  readonly at: SourceLocation | undefined;
}

/** One option of a configuration at rest: what it is, why, and for whom. */
export interface EvaluatedOption extends OptionDocumentation {
  readonly hasValue: boolean;
  /** `undefined` when nobody defines it and it has no default. */
  readonly value: unknown;
  /** All definitions, the strongest first, each group in the order of merging. The declared default is none. */
  readonly definitions: readonly Definition[];
  /** Those of {@link definitions} that made the value; the others have a weaker priority. */
  readonly winning: readonly Definition[];
  /** Modules whose rules read the option in their last run, in the order of keys. */
  readonly readers: readonly ModuleReference[];
}

/** What one module gives to an option that another one declares. */
export interface Contribution {
  readonly from: string;
  /** The module that declares the option. */
  readonly to: string;
  readonly option: string;
  readonly at: SourceLocation | undefined;
}

/** Questions that a configuration at rest answers about its options. */
export interface EvaluatedOptions {
  /** An option by its dotted path. */
  readonly findOption: (path: string) => EvaluatedOption | undefined;
  /** All declared options in the order of their paths. */
  readonly options: () => Iterable<EvaluatedOption>;
  /** Documentation of all options that are not hidden, those inside others too, in the order of their paths. */
  readonly documentation: () => readonly OptionDocumentation[];
  /** Who gives what to whom: each definition of an option by a module that does not declare it. */
  readonly contributions: () => readonly Contribution[];
}

/** Look into what an evaluation has found; answers are worked out when asked for. */
export function lookInto({ cells, sources }: Settled): EvaluatedOptions {
  let byPath: ReadonlyMap<string, Cell> | undefined;
  const cellsByPath = () => {
    byPath ??= new Map(cells.all().map((cell) => [cell.node.path, cell]));
    return byPath;
  };
  return {
    findOption: (path) => {
      const cell = cellsByPath().get(path);
      return cell === undefined ? undefined : evaluatedOption(cell);
    },
    *options() {
      const sorted = [...cellsByPath()].sort(([a], [b]) => compareText(a, b));
      for (const [, cell] of sorted) yield evaluatedOption(cell);
    },
    documentation: () => documentNodes(cells.all().map(({ node }) => node)),
    contributions: () => sources.flatMap(contributionsOf).sort(compareContributions),
  };
}

function evaluatedOption(cell: Cell): EvaluatedOption {
  const { node, state, readers } = cell;
  const all = cell.all();
  const winning = all.length === 0 ? [] : strongest(all);
  return {
    ...documentNode(node),
    hasValue: state.kind === "value",
    value: state.kind === "value" ? state.value : undefined,
    definitions: byPriority(all),
    winning,
    readers: readers.map(({ module: { key, at } }) => ({ key, at })).sort((a, b) => compareText(a.key, b.key)),
  };
}

function byPriority(definitions: readonly Definition[]): Definition[] {
  const priorities = [...new Set(definitions.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((wanted) => strongest(definitions.filter(({ priority }) => priority === wanted)));
}

function contributionsOf({ module, run }: Source): Contribution[] {
  const found: Contribution[] = [];
  for (const [{ path, declaredBy }, [first]] of run.definitions) {
    if (declaredBy !== module.key) found.push({ from: module.key, to: declaredBy, option: path, at: first?.at });
  }
  return found;
}

function compareContributions(a: Contribution, b: Contribution): number {
  return compareText(a.from, b.from) || compareText(a.option, b.option);
}
