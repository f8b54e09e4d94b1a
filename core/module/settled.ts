import { CodedError, type Diagnostic, type SourceLocation, callerLocation } from "../base/index.ts";
import type { Cells } from "./cell.ts";
import { diagnose } from "./definition.ts";
import type { Settled } from "./fixpoint.ts";
import type { Module } from "./module.ts";
import type { GroupNode, OptionNode } from "./option-tree.ts";
import { ruleFailure } from "./rule-run.ts";

/** What modules and types tell the user, each once. */
export function warningsOf({ notable, sources }: Settled): Diagnostic[] {
  const warnings = sources.flatMap(({ run }) => run.warnings);
  for (const { state } of notable) if (state.kind === "value") warnings.push(...(state.warnings ?? []));
  return warnings;
}

/** What is still wrong once nothing moves any more; faults of moments in between do not count. */
export function faultsOf({ cells, notable, sources }: Settled): Diagnostic[] {
  const faults: Diagnostic[] = sources.flatMap(({ run }) => run.diagnostics);
  for (const { state } of notable) if (state.kind === "faulty") faults.push(...state.diagnostics);
  const waiting = new Map<OptionNode, Module[]>();
  for (const { module, run } of sources) {
    if (run.outcome.kind === "failed") faults.push(ruleFailure(module, run.outcome.error));
    if (run.outcome.kind !== "suspended") continue;
    // A rule that waits for a faulty option says nothing new.
    const { on } = run.outcome;
    if (cells.stateOf(on).kind === "none") waiting.set(on, [...(waiting.get(on) ?? []), module]);
  }
  // Who gives values is the machine; the modules that read them may be anybody's.
  const machine = sources.find(({ module }) => module.literal !== undefined)?.module.at;
  for (const [option, modules] of waiting) faults.push(neverResumed(option, modules, machine));
  return faults;
}

/** One diagnostic per option, however many rules wait for it. */
function neverResumed(option: OptionNode, modules: readonly Module[], machine: SourceLocation | undefined): Diagnostic {
  const shown = modules.slice(0, 3).map(({ key }) => `"${key}"`);
  const rest = modules.length > shown.length ? [...shown, `${modules.length - shown.length} more`] : shown;
  const readers =
    rest.length === 1
      ? `module ${rest[0]} reads it`
      : `modules ${rest.slice(0, -1).join(", ")} and ${rest.at(-1)} read it`;
  return noValue(option, `found no definition, but ${readers}`, machine ?? modules[0]?.at);
}

function noValue(node: OptionNode, found: string, at: SourceLocation | undefined): Diagnostic {
  return diagnose(
    "option.no-value",
    `Cannot read option "${node.path}": ${found}, expected ${node.option.type.name}`,
    at,
    `Define "${node.path}" in the configuration; it has no default.`,
  );
}

/** The settled options of a group as plain frozen objects. */
export function valuesOf(group: GroupNode, cells: Cells): object {
  const made: Record<string, unknown> = {};
  group.members.forEach((member, name) => {
    const state = member.kind === "group" ? undefined : cells.stateOf(member);
    if (member.kind === "group") made[name] = valuesOf(member, cells);
    else if (state?.kind === "value") made[name] = state.value;
    else refuseToRead(made, name, member);
  });
  const free = group.free === undefined ? undefined : cells.stateOf(group.free);
  if (free?.kind === "value") {
    const values = free.value as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(values))
      Object.defineProperty(made, name, { value: values[name], enumerable: true });
  }
  return Object.freeze(made);
}

/** Not enumerable, so that printing a configuration shows what it has. */
function refuseToRead(made: object, name: string, node: OptionNode): void {
  Object.defineProperty(made, name, {
    get: () => {
      const { code, message, hint } = noValue(node, "found no definition", undefined);
      throw new CodedError(code, message, { hint, at: callerLocation() });
    },
  });
}
