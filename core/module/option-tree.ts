import type { Diagnostic, SourceLocation } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
import { type Definition, type Report, diagnose, memberOf, showPlace } from "./definition.ts";
import type { FormerName, Module } from "./module.ts";
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
  /** Names that were once here. */
  readonly formerly: Map<string, FormerName>;
}

/** Join the declarations of all modules to one tree; what cannot be joined goes to `report`. */
export function makeOptionTree(modules: readonly Module[], report: Report): GroupNode {
  const root: GroupNode = { kind: "group", path: "", members: new Map(), formerly: new Map() };
  for (const module of modules) {
    if (module.declaration === undefined) continue;
    const group = groupAt(root, module.declaration.path, module, report);
    if (group !== undefined) addOptions(group, module.declaration.options, module, report);
  }
  for (const module of modules)
    for (const former of module.formerNames ?? []) addFormerName(root, former, module, report);
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
  const group: GroupNode = {
    kind: "group",
    path: showMember(parent.path, name),
    members: new Map(),
    formerly: new Map(),
  };
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

function addFormerName(root: GroupNode, former: FormerName, module: Module, report: Report): void {
  const group = groupAt(root, former.from.slice(0, -1), module, report);
  const name = former.from.at(-1);
  if (group === undefined || name === undefined) return;
  const found = group.members.get(name);
  if (found === undefined) group.formerly.set(name, former);
  else report(declaredTwice(found, module));
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

/** Receives what comes of taking a definition apart. */
export interface TakeApartOptions {
  /** The whole tree, where the new names of options lie. */
  readonly root: GroupNode;
  readonly report: Report;
  readonly warn: Report;
}

/** Take one definition of a group apart into definitions of its options. */
export function* takeApart(
  group: GroupNode,
  definition: Definition,
  options: TakeApartOptions,
): Iterable<{ readonly path: string; readonly definition: Definition }> {
  const { report } = options;
  if (groupParts(group.path === "" ? "the configuration" : group.path, [definition], report).length === 0) return;
  for (const [name, value] of Object.entries(definition.value as object)) {
    if (value === undefined) continue;
    const member = group.members.get(name);
    const former = group.formerly.get(name);
    const part = memberOf(definition, value);
    if (former !== undefined) {
      yield* takeFormer(former, part, options);
    } else if (member === undefined) {
      report(unknownOption(group.path, name, [...group.members.keys()], definition.at));
    } else if (member.kind === "option") {
      yield { path: member.path, definition: part };
    } else {
      yield* takeApart(member, part, options);
    }
  }
}

function* takeFormer(
  { from, to, advice }: FormerName,
  definition: Definition,
  options: TakeApartOptions,
): Iterable<{ readonly path: string; readonly definition: Definition }> {
  const old = from.join(".");
  if (to === undefined) {
    options.report(diagnose("option.removed", `Cannot set option "${old}": it was removed`, definition.at, advice));
    return;
  }
  options.warn(diagnose("option.renamed", `"${old}" has another name now. ${advice}`, definition.at));
  const nested = to.reduceRight<unknown>((value, name) => ({ [name]: value }), definition.value);
  yield* takeApart(options.root, { ...definition, value: nested }, options);
}

/** What has a name that was once in a group, at its place of now. */
export function findFormer(root: GroupNode, group: GroupNode, name: string): OptionNode | GroupNode | undefined {
  let node: OptionNode | GroupNode | undefined = root;
  const to = group.formerly.get(name)?.to;
  if (to === undefined) return undefined;
  for (const part of to) node = node?.kind === "group" ? node.members.get(part) : undefined;
  return node;
}
