import { CodedError, type Diagnostic } from "../base/index.ts";
import { type Definition, declaredDefault, diagnose, isWarning, showDefinitions } from "./definition.ts";
import type { Module } from "./module.ts";
import type { OptionNode } from "./option-tree.ts";
import { mergeDefinitions } from "./option-type.ts";
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
  readonly definitions = new Map<Source, readonly Definition[]>();
  readonly readers = new Set<Source>();
  #state: OptionState | undefined;

  constructor(node: OptionNode) {
    this.node = node;
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
  all(): Definition[] {
    return [...this.definitions.values()].flat();
  }
}

const NONE: OptionState = { kind: "none" };

function stateOf(node: OptionNode, definitions: readonly Definition[]): OptionState {
  const { option, path } = node;
  if (definitions.length === 0 && !option.hasDefault) return NONE;
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
  // The declared default takes part like any other definition, and is checked like one.
  const all = option.hasDefault
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
