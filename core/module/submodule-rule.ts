import type { Source } from "./cell.ts";
import type { Definition } from "./definition.ts";
import { splitOptionPath } from "./format-docs.ts";
import { settle } from "./fixpoint.ts";
import type { Module, Rule } from "./module.ts";
import { type OptionNode, makeOptionTree, takeApart } from "./option-tree.ts";
import type { OptionGroup } from "./option-type.ts";
import { faultsOf, valuesOf, warningsOf } from "./settled.ts";
import { type MergeContext, type SubmoduleRule, noInnerValue } from "./submodule-type.ts";

/** What {@link mergeByRules} takes. */
export interface MergeByRulesContext extends MergeContext {
  /** Of each module that declares options of it, at least one. */
  readonly rules: readonly SubmoduleRule[];
}

/** Merge definitions of a submodule that has rules: a configuration of its own, which settles by itself. */
export function mergeByRules(
  path: string,
  options: OptionGroup,
  definitions: readonly Definition[],
  { report, free, rules }: MergeByRulesContext,
): unknown {
  const module: Module = {
    kind: "module",
    key: path,
    declaration: { kind: "declaration", path: [], options, at: undefined },
    imports: [],
    rule: undefined,
    get at() {
      return definitions[0]?.at;
    },
  };
  const root = makeOptionTree([module], report, { path, free });
  const given = new Map<OptionNode, Definition[]>();
  for (const definition of definitions) {
    takeApart(root, definition, {
      root,
      report,
      reportWarning: report,
      take(node, part) {
        const list = given.get(node);
        if (list === undefined) given.set(node, [part]);
        else list.push(part);
      },
    });
  }
  const literal: Source = {
    module,
    run: { outcome: { kind: "done" }, reads: new Set(), definitions: given, diagnostics: [], warnings: [] },
  };
  const ruled = rules.map(
    (rule): Module => ({
      ...module,
      rule: rule as unknown as Rule,
      get at() {
        return module.at;
      },
    }),
  );
  const settled = settle(root, ruled, [literal], { name: splitOptionPath(path).at(-1) ?? path });
  const faults = faultsOf(settled);
  for (const diagnostic of [...warningsOf(settled), ...faults]) report(diagnostic);
  for (const { node, state } of settled.notable) {
    if (faults.length === 0 && state.kind === "none" && node !== root.free)
      report(noInnerValue(node.path, node.option.type, definitions[0]?.at));
  }
  return valuesOf(root, settled.cells);
}
