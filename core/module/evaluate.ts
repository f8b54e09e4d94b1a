import { CodedError, type Diagnostic, type SourceLocation, callerLocation, raise } from "../base/index.ts";
import { type Definition, diagnose } from "./definition.ts";
import { settle, type Settled } from "./fixpoint.ts";
import { type Module, withImports } from "./module.ts";
import type { Config, Defs, ModuleArguments } from "./namespaces.ts";
import { type GroupNode, makeOptionTree } from "./option-tree.ts";
import { type OptionState, RunRecord, ruleFailure } from "./rule-run.ts";

/** What {@link evaluateModules} takes. Arguments of modules, such as `pkgs`, stand beside these. */
export interface EvaluateModulesOptions extends Partial<ModuleArguments> {
  readonly modules: readonly Module[];
  /** The definitions of the machine itself: one literal, or several in order. */
  readonly config?: Defs | readonly Defs[];
  /** Where the literal was written. Default: the caller. */
  readonly at?: SourceLocation | undefined;
}

/** A configuration at rest. */
export interface EvaluatedModules {
  /** Every option with a value. One without throws `option.no-value` when it is read. */
  readonly config: Config;
  readonly warnings: readonly Diagnostic[];
  /** The definitions of an option by its dotted path, for "who set this". */
  readonly definitionsOf: (path: string) => readonly Definition[];
}

/**
 * Evaluate modules together with a machine's own definitions.
 *
 * @throws {CodedError} everything that is wrong, as one error: `option.unknown`, `option.wrong-type`,
 *   `option.conflict`, `option.no-value`, `option.declared-twice`, `option.read-only`, `module.assertion`,
 *   `module.rule-failed`, `module.rule-returned`; or `module.unsettled`, `module.unstable`.
 */
export function evaluateModules(options: EvaluateModulesOptions): EvaluatedModules {
  const { modules, config = {}, at = callerLocation(evaluateModules), ...moduleArguments } = options;
  const all = withImports(modules);
  const declared: Diagnostic[] = [];
  const root = makeOptionTree(all, (diagnostic) => declared.push(diagnostic));
  raise(declared);

  const literals = (Array.isArray(config) ? config : [config]).map((literal: Defs, index) => {
    // "~" sorts behind every module: what a machine says itself comes last among equals.
    const module: Module = {
      kind: "module",
      key: `~configuration ${String(index).padStart(4, "0")}`,
      declaration: undefined,
      imports: [],
      rule: undefined,
      at,
    };
    const record = new RunRecord(root, module);
    record.add(literal, at);
    const { definitions, diagnostics, warnings } = record;
    return {
      module,
      run: { outcome: { kind: "done" } as const, reads: new Set<string>(), definitions, diagnostics, warnings },
    };
  });

  const settled = settle(root, all, literals, moduleArguments as Partial<ModuleArguments>);
  raise(faultsOf(settled));
  return {
    config: freezeConfig(root, settled.states) as Config,
    warnings: settled.sources.flatMap(({ run }) => run.warnings),
    definitionsOf: settled.definitionsOf,
  };
}

/** What is still wrong once nothing moves any more; faults of moments in between do not count. */
function faultsOf(settled: Settled): Diagnostic[] {
  const faults: Diagnostic[] = settled.sources.flatMap(({ run }) => [...run.diagnostics]);
  for (const state of settled.states.values()) {
    if (state.kind === "faulty") faults.push(...state.diagnostics);
  }
  for (const { module, run } of settled.sources) {
    if (run.outcome.kind === "failed") faults.push(ruleFailure(module, run.outcome.error));
    // A rule that waits for a faulty option says nothing new.
    if (run.outcome.kind === "suspended" && settled.states.get(run.outcome.on.path)?.kind === "none") {
      faults.push(noValue(run.outcome.on, `found no definition, but module "${module.key}" reads it`, module.at));
    }
  }
  return faults;
}

function noValue(
  node: { readonly path: string; readonly option: { readonly type: { readonly name: string } } },
  found: string,
  at: SourceLocation | undefined,
): Diagnostic {
  return diagnose(
    "option.no-value",
    `Cannot read option "${node.path}": ${found}, expected ${node.option.type.name}`,
    at,
    `Define "${node.path}" in the configuration; it has no default.`,
  );
}

/** The settled configuration as plain frozen objects. */
function freezeConfig(group: GroupNode, states: ReadonlyMap<string, OptionState>): object {
  const made: Record<string, unknown> = {};
  for (const [name, member] of group.members) {
    if (member.kind === "group") {
      made[name] = freezeConfig(member, states);
      continue;
    }
    const state = states.get(member.path);
    if (state?.kind === "value") {
      made[name] = state.value;
      continue;
    }
    // Not enumerable, so that printing a configuration shows what it has.
    Object.defineProperty(made, name, {
      get: () => {
        const { code, message, hint } = noValue(member, "found no definition", undefined);
        throw new CodedError(code, message, { hint, at: callerLocation() });
      },
    });
  }
  return Object.freeze(made);
}
