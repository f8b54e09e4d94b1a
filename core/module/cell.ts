import { CodedError, type Diagnostic } from "../base/index.ts";
import { type Definition, declaredDefault, diagnose, isWarning, showDefinitions } from "./definition.ts";
import type { Module } from "./module.ts";
import { type GroupNode, type OptionNode, optionsOf } from "./option-tree.ts";
import { mergeDefinitions, mergeEqual } from "./option-type.ts";
import { PRIORITY_DECLARED } from "./priority.ts";
import type { OptionState, RuleRun } from "./rule-run.ts";
import { sameValue } from "./value.ts";

/** A rule or a literal, with its latest run. */
export interface Source {
  readonly module: Module;
  run: RuleRun;
}

/** An option during an evaluation: who defines it, who reads it, and what it is at this moment. */
export class Cell {
  readonly node: OptionNode;
  // Most options are defined by one module, and read by few.
  #definer: Source | undefined;
  #definition: readonly Definition[] = NOTHING;
  #definitions: Map<Source, readonly Definition[]> | undefined;
  #readers: Source[] | undefined;
  #state: OptionState | undefined;

  constructor(node: OptionNode) {
    this.node = node;
  }

  get readers(): readonly Source[] {
    return this.#readers ?? NO_READERS;
  }

  /** Let a source define the option as it says, in the place of what it said before. */
  define(source: Source, definitions: readonly Definition[]): void {
    if (this.#definitions !== undefined) {
      this.#definitions.set(source, definitions);
    } else if (this.#definer === undefined || this.#definer === source) {
      this.#definer = source;
      this.#definition = definitions;
    } else {
      this.#definitions = new Map([
        [this.#definer, this.#definition],
        [source, definitions],
      ]);
    }
  }

  /** Let a source define the option no more. */
  withdraw(source: Source): void {
    if (this.#definitions !== undefined) {
      this.#definitions.delete(source);
    } else if (this.#definer === source) {
      this.#definer = undefined;
      this.#definition = NOTHING;
    }
  }

  /** Let a source be among the readers, which it is not yet. */
  addReader(source: Source): void {
    if (this.#readers === undefined) this.#readers = [source];
    else this.#readers.push(source);
  }

  removeReader(source: Source): void {
    this.#readers = this.#readers?.filter((reader) => reader !== source);
  }

  /** Worked out when it is first asked for. */
  get state(): OptionState {
    this.#state ??= stateOf(this.node, this.all());
    return this.#state;
  }

  /** Merge anew. @returns Whether the option is something else now. */
  update(): boolean {
    const before = this.state;
    const now = stateOf(this.node, this.all());
    if (sameState(before, now)) return false;
    this.#state = now;
    return true;
  }

  /** Let what is wrong with the option, or worth a warning, have the places of its present definitions. */
  findPlaces(): void {
    if (this.state.kind === "faulty" || (this.state.kind === "value" && this.state.warnings !== undefined))
      this.#state = stateOf(this.node, this.all());
  }

  /** Whether the option is what it was in another state. */
  isLike(state: OptionState): boolean {
    return sameState(this.state, state);
  }

  /** All definitions, weak ones included, without the declared default. */
  all(): readonly Definition[] {
    return this.#definitions === undefined ? this.#definition : [...this.#definitions.values()].flat();
  }
}

/** The options of an evaluation. Most of them nobody defines and no rule reads: there is nothing to remember of these. */
export class Cells {
  readonly #nodes: readonly OptionNode[];
  readonly #cells: (Cell | undefined)[];

  constructor(root: GroupNode) {
    this.#nodes = optionsOf(root);
    this.#cells = this.#nodes.map(() => undefined);
  }

  of(node: OptionNode): Cell {
    const known = this.#cells[node.index];
    if (known !== undefined) return known;
    const cell = new Cell(node);
    this.#cells[node.index] = cell;
    return cell;
  }

  /** What an option is, for who does not have to hear of it when it changes. */
  stateOf(node: OptionNode): OptionState {
    return this.#cells[node.index]?.state ?? untouched(node) ?? this.of(node).state;
  }

  /** All options, in the order of their names. */
  all(): readonly Cell[] {
    return this.#nodes.map((node) => this.of(node));
  }

  /** Options that are something else than a value without warnings, in the order of their names. */
  notable(): Cell[] {
    const found: Cell[] = [];
    for (const node of this.#nodes) {
      if (this.#cells[node.index] === undefined && untouched(node) !== undefined) continue;
      const cell = this.of(node);
      const { state } = cell;
      if (state.kind !== "value" || state.warnings !== undefined) found.push(cell);
    }
    return found;
  }
}

const NOTHING: readonly Definition[] = [];
const NO_READERS: readonly Source[] = [];
const NONE: OptionState = { kind: "none" };

/** What an option is that nobody defines, where there is nothing to merge; `undefined` otherwise. */
function untouched({ option: { type, hasDefault, default: value } }: OptionNode): OptionState | undefined {
  return hasDefault && type.merge === mergeEqual && type.mismatch(value) === undefined
    ? { kind: "value", value }
    : undefined;
}

function stateOf(node: OptionNode, definitions: readonly Definition[]): OptionState {
  if (definitions.length === 0) {
    if (!node.option.hasDefault) return NONE;
    const state = untouched(node);
    if (state !== undefined) return state;
  }
  return (
    (definitions.length === 1 ? plainState(node, definitions[0] as Definition) : undefined) ??
    mergedState(node, definitions)
  );
}

/** {@link mergedState} of the most common case: one definition of what is not changed by merging. */
function plainState(
  { option: { type, readOnly } }: OptionNode,
  { value, priority }: Definition,
): OptionState | undefined {
  return type.merge === mergeEqual && !readOnly && priority < PRIORITY_DECLARED && type.mismatch(value) === undefined
    ? { kind: "value", value }
    : undefined;
}

function mergedState(node: OptionNode, definitions: readonly Definition[]): OptionState {
  const { option } = node;
  const diagnostics: Diagnostic[] = [];
  if (option.readOnly && definitions.length + (option.isDefaultDeclared ? 1 : 0) > 1) {
    diagnostics.push(
      diagnose(
        "option.read-only",
        `Cannot define option "${node.path}": found several definitions, expected the one of the module that owns it:${showDefinitions(definitions)}`,
        definitions[0]?.at,
      ),
    );
  }
  // The declared default takes part like any other definition, and is checked like one, where no stronger one hides it.
  const all =
    option.hasDefault && definitions.every(({ priority }) => priority >= PRIORITY_DECLARED)
      ? [...definitions, declaredDefault(option.default, () => node.declaredAt)]
      : definitions;
  const value = mergeSafely(node, all, diagnostics);
  if (diagnostics.length === 0) return { kind: "value", value };
  const faults = diagnostics.filter((diagnostic) => !isWarning(diagnostic));
  return faults.length > 0 ? { kind: "faulty", diagnostics: faults } : { kind: "value", value, warnings: diagnostics };
}

/** A merge may run functions of the declaration's author (conversions, rules of submodules), which may throw. */
function mergeSafely({ option, path }: OptionNode, definitions: readonly Definition[], faults: Diagnostic[]): unknown {
  try {
    return mergeDefinitions(option.type, path, definitions, (diagnostic) => faults.push(diagnostic));
  } catch (error) {
    faults.push(
      error instanceof CodedError
        ? error
        : diagnose(
            "option.merge-failed",
            `Cannot merge option "${path}": ${error instanceof Error ? error.message : String(error)}`,
            definitions[0]?.at,
          ),
    );
    return undefined;
  }
}

function sameState(a: OptionState, b: OptionState): boolean {
  if (a.kind === "value" && b.kind === "value") return sameValue(a.value, b.value);
  if (a.kind === "faulty" && b.kind === "faulty") {
    const text = (state: typeof a) => state.diagnostics.map(({ message }) => message).join("\n");
    return text(a) === text(b);
  }
  return a.kind === b.kind;
}
