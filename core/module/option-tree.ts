import type { Diagnostic, SourceLocation } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
import { type Definition, type Report, diagnose, memberOf, showPlace } from "./definition.ts";
import type { Module } from "./module.ts";
import { type AnyOption, type OptionGroup, isOption } from "./option-type.ts";
import { groupParts, unknownOption } from "./submodule-type.ts";

/** One declared option at its place in the configuration. */
export interface OptionNode {
  readonly kind: "option";
  readonly path: string;
  readonly option: AnyOption;
  readonly declaredBy: string;
  readonly declaredAt: SourceLocation | undefined;
}

/** A level of the configuration that is not an option itself. */
export interface GroupNode {
  readonly kind: "group";
  readonly path: string;
  readonly members: Map<string, OptionNode | GroupNode>;
}

/** Join the declarations of all modules to one tree; what cannot be joined goes to `report`. */
export function makeOptionTree(modules: readonly Module[], report: Report): GroupNode {
  const root: GroupNode = { kind: "group", path: "", members: new Map() };
  for (const module of modules) {
    if (module.declaration === undefined) continue;
    const group = groupAt(root, module.declaration.path, module, report);
    if (group !== undefined) addOptions(group, module.declaration.options, module, report);
  }
  return root;
}

function groupAt(root: GroupNode, path: readonly string[], module: Module, report: Report): GroupNode | undefined {
  let group = root;
  for (const name of path) {
    const next = addGroup(group, name, module, report);
    if (next === undefined) return undefined;
    group = next;
  }
  return group;
}

function addGroup(parent: GroupNode, name: string, module: Module, report: Report): GroupNode | undefined {
  const found = parent.members.get(name);
  if (found?.kind === "group") return found;
  if (found !== undefined) {
    report(declaredTwice(found, module));
    return undefined;
  }
  const group: GroupNode = { kind: "group", path: showMember(parent.path, name), members: new Map() };
  parent.members.set(name, group);
  return group;
}

function addOptions(group: GroupNode, options: OptionGroup, module: Module, report: Report): void {
  for (const [name, member] of Object.entries(options)) {
    if (!isOption(member)) {
      const below = addGroup(group, name, module, report);
      if (below !== undefined) addOptions(below, member, module, report);
      continue;
    }
    const found = group.members.get(name);
    if (found === undefined) {
      group.members.set(name, {
        kind: "option",
        path: showMember(group.path, name),
        option: member,
        declaredBy: module.key,
        declaredAt: module.at,
      });
    } else {
      report(declaredTwice(found, module));
    }
  }
}

function declaredTwice(found: OptionNode | GroupNode, module: Module): Diagnostic {
  const first = found.kind === "option" ? `an option declared at ${showPlace(found.declaredAt)}` : "a group of options";
  return diagnose(
    "option.declared-twice",
    `Cannot declare option "${found.path}" at ${showPlace(module.at)}: found ${first}, expected the name to be free`,
    module.at,
  );
}

/** All options of a tree, in the order of declaration. */
export function* optionsOf(group: GroupNode): Iterable<OptionNode> {
  for (const member of group.members.values()) {
    if (member.kind === "option") yield member;
    else yield* optionsOf(member);
  }
}

/** Take one definition of a group apart into definitions of its options. */
export function* takeApart(
  group: GroupNode,
  definition: Definition,
  report: Report,
): Iterable<{ readonly path: string; readonly definition: Definition }> {
  if (groupParts(group.path === "" ? "the configuration" : group.path, [definition], report).length === 0) return;
  for (const [name, value] of Object.entries(definition.value as object)) {
    if (value === undefined) continue;
    const member = group.members.get(name);
    const part = memberOf(definition, value);
    if (member === undefined) {
      report(unknownOption(group.path, name, [...group.members.keys()], definition.at));
    } else if (member.kind === "option") {
      yield { path: member.path, definition: part };
    } else {
      yield* takeApart(member, part, report);
    }
  }
}
