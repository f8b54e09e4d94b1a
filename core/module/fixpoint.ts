import { CodedError, type Diagnostic } from "../base/index.ts";
import { type Definition, diagnose, showDefinitions, showPlace, strongest } from "./definition.ts";
import type { Module } from "./module.ts";
import type { ModuleArguments } from "./namespaces.ts";
import { type GroupNode, type OptionNode, optionsOf } from "./option-tree.ts";
import { mergeDefinitions } from "./option-type.ts";
import { type OptionState, type RuleRun, RuleRunner, sameRun } from "./rule-run.ts";
import { type Change, describeCycle } from "./cycle.ts";
import { sameValue } from "./value.ts";

/** A rule or a literal, with its latest run. */
interface Source {
  readonly module: Module;
  run: RuleRun;
}

/** What the fixpoint gives: the state of each option and how each rule ended. */
export interface Settled {
  readonly states: ReadonlyMap<string, OptionState>;
  readonly sources: readonly { readonly module: Module; readonly run: RuleRun }[];
  /** All definitions of an option, weak ones included. */
  readonly definitionsOf: (path: string) => readonly Definition[];
}

/**
 * Run rules until nothing changes: the least fixpoint from the declared defaults.
 *
 * Rounds are synchronous: all rules of a round see the same configuration, and only then are their
 * definitions merged. So the sequence of configurations, and with it the result, cannot depend on the
 * order of modules, even for rules that take back what they defined.
 *
 * @param literals Definitions without a rule, with their runs already made.
 * @throws {CodedError} `module.unsettled` when options and rules feed each other without end;
 *   `module.unstable` when a rule gives something else for the same configuration.
 */
export function settle(
  root: GroupNode,
  modules: readonly Module[],
  literals: readonly Source[],
  moduleArguments: Partial<ModuleArguments>,
): Settled {
  const options = new Map([...optionsOf(root)].map((node) => [node.path, node]));
  const states = new Map<string, OptionState>();
  const runner = new RuleRunner(root, (path) => states.get(path) ?? NONE, moduleArguments);
  const rules: Source[] = modules
    .filter((module) => module.rule !== undefined)
    .map((module) => ({ module, run: NOT_RUN }));
  const sources = [...literals, ...rules];
  const definitionsOf = (path: string) => sources.flatMap(({ run }) => run.definitions.get(path) ?? []);

  for (const node of options.values()) states.set(node.path, stateOf(node, definitionsOf(node.path)));

  // A change travels at least one option per round, so more rounds than this only happen in a circle.
  const enough = 64 + 2 * rules.length;
  const history: Change[] = [];
  let due = rules;
  for (let round = 0; due.length > 0; round += 1) {
    if (round > enough + 8) throw describeCycle(history);
    const touched = new Set<string>();
    const runs = due.map((source) => ({ source, run: runner.run(source.module) }));
    for (const { source, run } of runs) {
      for (const path of source.run.definitions.keys()) touched.add(path);
      for (const path of run.definitions.keys()) touched.add(path);
      source.run = run;
    }
    const changed = new Set<string>();
    for (const path of touched) {
      const node = options.get(path);
      if (node === undefined) continue;
      const state = stateOf(node, definitionsOf(path));
      if (sameState(states.get(path) ?? NONE, state)) continue;
      states.set(path, state);
      changed.add(path);
    }
    if (round > enough) {
      for (const { source, run } of runs) history.push({ module: source.module, run, changed });
    }
    due = rules.filter(({ run }) => [...run.reads].some((path) => changed.has(path)));
  }

  for (const { module, run } of rules) checkStable(module, run, runner.run(module));
  return { states, sources, definitionsOf };
}

const NONE: OptionState = { kind: "none" };
const NOT_RUN: RuleRun = {
  outcome: { kind: "done" },
  reads: new Set(),
  definitions: new Map(),
  diagnostics: [],
  warnings: [],
};

function stateOf(node: OptionNode, definitions: readonly Definition[]): OptionState {
  const { option, path } = node;
  if (definitions.length === 0) return option.hasDefault ? { kind: "value", value: option.default } : NONE;
  const diagnostics: Diagnostic[] = [];
  if (option.readOnly && strongest(definitions).length > 1) {
    diagnostics.push(
      diagnose(
        "option.read-only",
        `Cannot define option "${path}": found several definitions, expected the one of the module that owns it:${showDefinitions(definitions)}`,
        definitions[0]?.at,
      ),
    );
  }
  const value = mergeDefinitions(option.type, path, definitions, (diagnostic) => diagnostics.push(diagnostic));
  return diagnostics.length > 0 ? { kind: "faulty", diagnostics } : { kind: "value", value };
}

function sameState(a: OptionState, b: OptionState): boolean {
  if (a.kind === "value" && b.kind === "value") return sameValue(a.value, b.value);
  if (a.kind === "faulty" && b.kind === "faulty") {
    const text = (state: typeof a) => state.diagnostics.map(({ message }) => message).join("\n");
    return text(a) === text(b);
  }
  return a.kind === b.kind;
}

/** A rule that has a memory or a dice of its own cannot be at rest. */
function checkStable(module: Module, settled: RuleRun, again: RuleRun): void {
  if (sameRun(settled, again)) return;
  throw new CodedError(
    "module.unstable",
    `Cannot settle module "${module.key}": found that its rule gives something else for the same configuration, expected it to depend on nothing but that`,
    {
      hint: `Look for a counter, a cache or a random value in the rule at ${showPlace(module.at)}.`,
      at: module.at,
    },
  );
}
