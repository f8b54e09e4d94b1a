import { CodedError, type Diagnostic } from "../base/index.ts";
import { type Definition, declaredDefault, diagnose, isWarning, showDefinitions } from "./definition.ts";
import type { Module } from "./module.ts";
import type { OptionNode } from "./option-tree.ts";
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
  // Most options are defined and read by nobody.
  #definitions: Map<Source, readonly Definition[]> | undefined;
  #readers: Set<Source> | undefined;
  #state: OptionState | undefined;

  constructor(node: OptionNode) {
    this.node = node;
  }

  get definitions(): ReadonlyMap<Source, readonly Definition[]> {
    return this.#definitions ?? NO_DEFINITIONS;
  }

  get readers(): ReadonlySet<Source> {
    return this.#readers ?? NO_READERS;
  }

  /** Let a source define the option as it says, in the place of what it said before. */
  define(source: Source, definitions: readonly Definition[]): void {
    this.#definitions ??= new Map();
    this.#definitions.set(source, definitions);
  }

  /** Let a source define the option no more. */
  withdraw(source: Source): void {
    this.#definitions?.delete(source);
  }

  addReader(source: Source): void {
    this.#readers ??= new Set();
    this.#readers.add(source);
  }

  removeReader(source: Source): void {
    this.#readers?.delete(source);
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
    const lists = this.#definitions;
    if (lists === undefined) return NOTHING;
    if (lists.size !== 1) return [...lists.values()].flat();
    const [only = NOTHING] = lists.values();
    return only;
  }
}

const NOTHING: readonly Definition[] = [];
const NO_DEFINITIONS: ReadonlyMap<Source, readonly Definition[]> = new Map();
const NO_READERS: ReadonlySet<Source> = new Set();
const NONE: OptionState = { kind: "none" };

function stateOf(node: OptionNode, definitions: readonly Definition[]): OptionState {
  const { option, path } = node;
  if (definitions.length === 0) {
    if (!option.hasDefault) return NONE;
    const { type, default: value } = option;
    // Nothing to merge: by far most options of a configuration.
    if (type.merge === mergeEqual && type.mismatch(value) === undefined) return { kind: "value", value };
  }
  const diagnostics: Diagnostic[] = [];
  if (option.readOnly && definitions.length + (option.isDefaultDeclared ? 1 : 0) > 1) {
    diagnostics.push(
      diagnose(
        "option.read-only",
        `Cannot define option "${path}": found several definitions, expected the one of the module that owns it:${showDefinitions(definitions)}`,
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
