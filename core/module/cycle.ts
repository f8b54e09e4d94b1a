import { CodedError, compareText } from "../base/index.ts";
import type { Source } from "./cell.ts";
import { showPlace } from "./definition.ts";
import type { Module } from "./module.ts";
import type { OptionNode } from "./option-tree.ts";
import type { RuleRun } from "./rule-run.ts";

/** One run of a rule in a configuration that does not settle, and the options that its round changed. */
export interface Change {
  readonly source: Source;
  readonly run: RuleRun;
  readonly changed: ReadonlySet<OptionNode>;
}

/** A rule that reads one changing option and defines another. */
interface Step {
  readonly reads: OptionNode;
  readonly defines: OptionNode;
  readonly module: Module;
  readonly run: RuleRun;
}

/** The error for a configuration that never settles: the circle of options and rules, with places. */
export function describeCycle(history: readonly Change[]): CodedError {
  const changing = new Set(history.flatMap(({ changed }) => [...changed]));
  const steps = new Map<OptionNode, Step[]>();
  for (const { source, run } of history) {
    const { module } = source;
    for (const reads of run.reads) {
      if (!changing.has(reads)) continue;
      const list = steps.get(reads) ?? [];
      for (const defines of changing) {
        // A rule may define an option only in every other round: any of its runs counts.
        const seen = list.some((step) => step.module === module && step.defines === defines);
        if (!seen && run.definitions.has(defines)) list.push({ reads, defines, module, run });
      }
      steps.set(reads, list);
    }
  }
  const circle = findCircle(steps) ?? [];
  const lines = circle.map(({ reads, defines, module, run }) => {
    const at = run.definitions.get(defines)?.[0]?.at;
    return `"${reads.path}" is read by module "${module.key}" (${showPlace(module.at)}), which defines "${defines.path}" (${showPlace(at)})`;
  });
  const first = circle[0]?.run.definitions.get(circle[0].defines)?.[0]?.at;
  return new CodedError("module.unsettled", `Cannot settle the configuration: ${summary(circle, [...changing])}`, {
    hint: "Let one of these rules decide by an option that the others do not change, or set the option with force(…).",
    at: first,
    details: lines,
  });
}

/** One line; the steps stand below it, with their places. */
function summary([first, ...others]: readonly Step[], changing: readonly OptionNode[]): string {
  if (first === undefined) {
    const names = changing.slice(0, 3).map(({ path }) => `"${path}"`);
    return `${names.join(", ")}${changing.length > 3 ? ` and ${changing.length - 3} more` : ""} never settle`;
  }
  const begins = `"${first.reads.path}" never settles: module "${first.module.key}" reads it and defines`;
  return others.length === 0
    ? `${begins} it anew each time`
    : `${begins} "${first.defines.path}", which leads back to it`;
}

/** The shortest circle, by breadth-first search from each option in turn. */
function findCircle(steps: ReadonlyMap<OptionNode, readonly Step[]>): Step[] | undefined {
  let best: Step[] | undefined;
  for (const start of [...steps.keys()].sort((a, b) => compareText(a.path, b.path))) {
    const found = circleFrom(start, steps);
    if (found !== undefined && (best === undefined || found.length < best.length)) best = found;
  }
  return best;
}

function circleFrom(start: OptionNode, steps: ReadonlyMap<OptionNode, readonly Step[]>): Step[] | undefined {
  const seen = new Set<OptionNode>();
  let paths: Step[][] = [[]];
  while (paths.length > 0) {
    const longer: Step[][] = [];
    for (const path of paths) {
      const at = path.at(-1)?.defines ?? start;
      for (const step of steps.get(at) ?? []) {
        if (step.defines === start) return [...path, step];
        if (seen.has(step.defines)) continue;
        seen.add(step.defines);
        longer.push([...path, step]);
      }
    }
    paths = longer;
  }
  return undefined;
}
