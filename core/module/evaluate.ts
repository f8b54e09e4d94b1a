import {
  CodedError,
  type Diagnostic,
  type SourceLocation,
  callerLocation,
  formatLocation,
  raise,
} from "../base/index.ts";
import type { Source } from "./cell.ts";
import type { Definition } from "./definition.ts";
import { type EvaluatedOptions, lookInto } from "./evaluated-options.ts";
import { settle } from "./fixpoint.ts";
import type { Module } from "./module.ts";
import { collectModules, explainDisabled } from "./module-list.ts";
import type { Config, Defs, ModuleArguments } from "./namespaces.ts";
import { type GroupNode, makeOptionTree } from "./option-tree.ts";
import { RunRecord } from "./rule-run.ts";
import { faultsOf, valuesOf, warningsOf } from "./settled.ts";

/** What {@link evaluateModules} takes. Arguments of modules, such as `pkgs`, stand beside these. */
export interface EvaluateModulesOptions extends Partial<ModuleArguments> {
  readonly modules: readonly Module[];
  /** Modules that take no part whoever brings them, by value or by key, with all that only they import. */
  readonly disabledModules?: readonly (Module | string)[];
  /** The definitions of the machine itself: one literal, or several in order. */
  readonly config?: Defs | readonly Defs[];
  /** Where the literal was written. Default: the caller. */
  readonly at?: SourceLocation | undefined;
}

/** A configuration at rest. */
export interface EvaluatedModules extends EvaluatedOptions {
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
 *   `option.conflict`, `option.no-value`, `option.declared-twice`, `option.read-only`, `option.merge-failed`,
 *   `module.assertion`, `module.rule-failed`, `module.rule-returned`; or `module.unsettled`, `module.unstable`, and
 *   those of `collectModules`.
 */
export function evaluateModules(options: EvaluateModulesOptions): EvaluatedModules {
  const {
    modules,
    config = {},
    disabledModules = [],
    at = callerLocation(evaluateModules),
    ...moduleArguments
  } = options;
  const list = collectModules({ modules, disabledModules, at });
  const declared: Diagnostic[] = [];
  const root = makeOptionTree(list.modules, (diagnostic) => declared.push(diagnostic));
  raise(declared);

  const own = Array.isArray(config) ? (config as readonly Defs[]) : [config];
  const literals = [
    ...list.modules.filter(({ literal }) => literal !== undefined),
    ...own.map((literal, index) => literalModule(ownKey(index), literal, at)),
  ];
  const settled = settle(
    root,
    list.modules,
    literals.map((module) => runLiteral(root, module)),
    moduleArguments,
  );
  const warnings = warningsOf(settled);
  raiseAll(
    faultsOf(settled).map((fault) => explainDisabled(fault, list.disabled)),
    warnings,
  );
  const looked = lookInto(settled);
  return {
    ...looked,
    config: valuesOf(root, settled.cells) as Config,
    warnings,
    definitionsOf: (path) => looked.findOption(path)?.definitions ?? [],
  };
}

// "~" sorts behind every module: what a machine says itself comes last among equals.
const ownKey = (index: number) => `~configuration ${String(index).padStart(4, "0")}`;

/** A module that is nothing but definitions. */
export function literalModule(key: string, literal: unknown, at: SourceLocation | undefined): Module {
  return { kind: "module", key, declaration: undefined, imports: [], rule: undefined, at, literal };
}

/** The one run of a module without a rule. */
export function runLiteral(root: GroupNode, module: Module): Source {
  const record = new RunRecord(root, module);
  record.add(module.literal);
  const { definitions, diagnostics, warnings } = record;
  return { module, run: { outcome: { kind: "done" }, reads: new Set(), definitions, diagnostics, warnings } };
}

/** Raise faults as one error that also tells the warnings: they often say what led to the faults. */
function raiseAll(faults: readonly Diagnostic[], warnings: readonly Diagnostic[]): void {
  if (faults.length === 0 || warnings.length === 0) return raise(faults);
  const line = ({ at, message }: Diagnostic) => (at === undefined ? message : `${formatLocation(at)}: ${message}`);
  const [first] = faults as [Diagnostic];
  const more = faults.length === 1 ? "" : ` (and ${faults.length - 1} more)`;
  throw new CodedError(first.code, `${first.message}${more}`, {
    at: first.at,
    hint: first.hint,
    details: [
      ...(faults.length === 1 ? [] : faults.map(line)),
      ...warnings.map((warning) => `warning: ${line(warning)}`),
    ],
  });
}
