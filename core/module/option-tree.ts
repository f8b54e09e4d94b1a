import { type Diagnostic, type SourceLocation, compareText, sortedText } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
import { type Definition, type Report, diagnose, memberOf, showPlace, withValue } from "./definition.ts";
import { type FormerName, type Module, importsDepend } from "./module.ts";
import { joinOptions } from "./join-options.ts";
import { type AnyOption, type OptionGroup, type OptionType, isOption } from "./option-type.ts";
import { groupFault, unknownOption } from "./unknown-option.ts";
import { showValue } from "./value.ts";

/** One declared option at its place in the configuration. */
export interface OptionNode {
  readonly kind: "option";
  readonly path: string;
  /** Its number among the options of its tree, counted from 0 in the order of {@link optionsOf}. */
  readonly index: number;
  readonly option: AnyOption;
  readonly declaredBy: string;
  readonly declaredAt: SourceLocation | undefined;
}

/** What it is called in full and where its module stands is worked out when somebody wants to know. */
class DeclaredOption implements OptionNode {
  readonly kind = "option";
  readonly option: AnyOption;
  index = 0;
  readonly #group: GroupNode;
  readonly #name: string;
  readonly #module: Module;
  #path: string | undefined;

  constructor(group: GroupNode, name: string, option: AnyOption, module: Module) {
    this.option = option;
    this.#group = group;
    this.#name = name;
    this.#module = module;
  }

  /** The same option, to which another module has added. */
  withOption(option: AnyOption): DeclaredOption {
    return new DeclaredOption(this.#group, this.#name, option, this.#module);
  }

  get path(): string {
    this.#path ??= showMember(this.#group.path, this.#name);
    return this.#path;
  }

  get declaredBy(): string {
    return this.#module.key;
  }

  get declaredAt(): SourceLocation | undefined {
    return this.#module.at;
  }
}

/** A level of the configuration that is not an option itself. */
export interface GroupNode {
  readonly kind: "group";
  readonly path: string;
  readonly members: Map<string, OptionNode | GroupNode>;
  /** Names that were once here. */
  readonly formerly: Map<string, FormerName>;
  /** Stands for all names that are not declared, where there may be such. */
  readonly free?: OptionNode;
}

/** What a tree inside an option has besides its options. */
export interface InnerTree {
  /** What the paths of its options begin with. Default: nothing. */
  readonly path?: string;
  /** The type of all free names together. Default: there may be none. */
  readonly free?: OptionType | undefined;
}

/** Join the declarations of all modules to one tree; what cannot be joined goes to `report`. */
export function makeOptionTree(modules: readonly Module[], report: Report, inner: InnerTree = {}): GroupNode {
  const { path = "", free } = inner;
  const root: GroupNode = {
    kind: "group",
    path,
    members: new Map(),
    formerly: new Map(),
    ...(free === undefined ? {} : { free: freeNode(path, free) }),
  };
  for (const module of modules) {
    if (module.declaration === undefined) continue;
    const group = groupAt(root, module.declaration.path, module, report);
    if (group !== undefined) addOptions(group, module.declaration.options, module, report);
  }
  for (const module of modules)
    for (const former of module.formerNames ?? []) addFormerName(root, former, module, report);
  for (const module of modules)
    for (const former of module.formerNames ?? []) checkFormerName(root, former, module, report);
  sortMembers(root);
  const nodes = optionsOf(root);
  for (let index = 0; index < nodes.length; index++) {
    const node = nodes[index];
    if (node instanceof DeclaredOption) node.index = index;
  }
  return root;
}

function freeNode(path: string, type: OptionType): OptionNode {
  const option: AnyOption = {
    kind: "option",
    type,
    default: type.empty,
    hasDefault: true,
    isDefaultDeclared: false,
    defaultText: undefined,
    description: undefined,
    example: undefined,
    related: [],
    internal: true,
    visible: false,
    readOnly: false,
  };
  // What stands for the free names of a tree comes before all others in it.
  return { kind: "option", path, index: 0, option, declaredBy: path, declaredAt: undefined };
}

/** A rule may go through the names of a group, so their order must not be that of modules. */
function sortMembers({ members }: GroupNode): void {
  let isSorted = true;
  let last: string | undefined;
  members.forEach((member, name) => {
    if (last !== undefined && compareText(last, name) > 0) isSorted = false;
    last = name;
    if (member.kind === "group") sortMembers(member);
  });
  if (isSorted) return;
  const all = new Map(members);
  members.clear();
  for (const name of sortedText(all.keys())) members.set(name, all.get(name) as OptionNode | GroupNode);
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
  // In their order from the beginning: most groups are declared in one place.
  for (const name of sortedText(Object.keys(options))) {
    const member = options[name] as AnyOption | OptionGroup;
    if (!isOption(member)) {
      const below = addGroup(group, name, module, report);
      if (below !== undefined) addOptions(below, member, module, report);
      continue;
    }
    const found = group.members.get(name);
    if (found === undefined) {
      group.members.set(name, new DeclaredOption(group, name, member, module));
      continue;
    }
    if (!(found instanceof DeclaredOption)) {
      report(declaredTwice(found, module));
      continue;
    }
    const joined = joinOptions(found.path, found.option, member);
    if (joined.kind === "joined") group.members.set(name, found.withOption(joined.option));
    else report(declaredTwice(found, module, joined.path));
  }
}

function checkFormerName(root: GroupNode, { from, to }: FormerName, module: Module, report: Report): void {
  if (to === undefined || nodeAt(root, to) !== undefined) return;
  const [old, now] = [from.join("."), to.join(".")];
  report(
    diagnose(
      "option.renamed-to-nothing",
      `Cannot rename option "${old}" to "${now}": found no option of the new name`,
      module.at,
      `Declare "${now}" in one of the modules, or write removedOption("${old}", …).`,
    ),
  );
}

function addFormerName(root: GroupNode, former: FormerName, module: Module, report: Report): void {
  const group = groupAt(root, former.from.slice(0, -1), module, report);
  const name = former.from.at(-1);
  if (group === undefined || name === undefined) return;
  const found = group.members.get(name);
  if (found === undefined) group.formerly.set(name, former);
  else report(declaredTwice(found, module));
}

/** What lies at a path, also through former names; `undefined` as well when these lead in a circle. */
function nodeAt(root: GroupNode, path: readonly string[], renames = 0): OptionNode | GroupNode | undefined {
  let node: OptionNode | GroupNode | undefined = root;
  for (const [index, name] of path.entries()) {
    if (node?.kind !== "group") return undefined;
    const former = node.formerly.get(name);
    if (former !== undefined) {
      if (former.to === undefined || renames > MOST_RENAMES) return undefined;
      return nodeAt(root, [...former.to, ...path.slice(index + 1)], renames + 1);
    }
    node = node.members.get(name);
  }
  return node;
}

/** How often an option may have got another name. */
const MOST_RENAMES = 64;

/** @param path Of what both declare, which may lie inside of what was found. */
function declaredTwice(found: OptionNode | GroupNode, module: Module, path = found.path): Diagnostic {
  const first = found.kind === "option" ? `an option declared at ${showPlace(found.declaredAt)}` : "a group of options";
  return diagnose(
    "option.declared-twice",
    `Cannot declare option "${path}" at ${showPlace(module.at)}: found ${first}, expected the name to be free`,
    module.at,
    "Give one of them another name; what exists is set with define({ … }).",
  );
}

/** All options of a tree, in the order of their names. */
export function optionsOf(group: GroupNode, found: OptionNode[] = []): OptionNode[] {
  if (group.free !== undefined) found.push(group.free);
  group.members.forEach((member) => {
    if (member.kind === "option") found.push(member);
    else optionsOf(member, found);
  });
  return found;
}

/** Receives what comes of taking a definition apart. */
export interface Receiver {
  /** The whole tree, where the new names of options lie. */
  readonly root: GroupNode;
  report(diagnostic: Diagnostic): void;
  reportWarning(diagnostic: Diagnostic): void;
  /** Takes the definition of one option. */
  take(node: OptionNode, definition: Definition): void;
}

/** Take one definition of a group apart into definitions of its options. */
export function takeApart(group: GroupNode, definition: Definition, receiver: Receiver): void {
  const fault = groupFault(group.path, definition);
  if (fault !== undefined) return receiver.report(fault);
  const given = definition.value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (value === undefined) continue;
    const member = group.members.get(name);
    const former = member === undefined ? group.formerly.get(name) : undefined;
    if (former !== undefined) {
      takeFormer(former, memberOf(definition, value), receiver);
    } else if (member === undefined && group.free !== undefined) {
      // Its marks stay on the value, since priorities count for each free name alone.
      receiver.take(group.free, withValue(definition, { [name]: value }));
    } else if (member === undefined) {
      receiver.report(
        group === receiver.root && name === "imports"
          ? importsDepend('Cannot import modules in a definition: found "imports" among the options', definition.at)
          : unknownOption(group.path, name, [...group.members.keys()], definition.at),
      );
    } else if (member.kind === "option") {
      receiver.take(member, memberOf(definition, value));
    } else {
      takeApart(member, memberOf(definition, value), receiver);
    }
  }
}

function takeFormer({ from, to, convert, advice }: FormerName, definition: Definition, receiver: Receiver): void {
  const old = from.join(".");
  if (to === undefined) {
    receiver.report(diagnose("option.removed", `Cannot set option "${old}": it was removed`, definition.at, advice));
    return;
  }
  receiver.reportWarning(diagnose("option.renamed", `"${old}" has another name now. ${advice}`, definition.at));
  const value = convert === undefined ? definition.value : convertFormer(old, convert, definition, receiver);
  const nested = to.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
  takeApart(receiver.root, withValue(definition, nested), receiver);
}

function convertFormer(
  old: string,
  convert: (value: never) => unknown,
  { value, at }: Definition,
  receiver: Receiver,
): unknown {
  try {
    return convert(value as never);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    receiver.report(
      diagnose("option.convert-failed", `Cannot convert ${showValue(value, 60)} of option "${old}": ${found}`, at),
    );
    return undefined;
  }
}

/** What has a name that was once in a group, at its place of now. */
export function findFormer(root: GroupNode, group: GroupNode, name: string): OptionNode | GroupNode | undefined {
  const former = group.formerly.get(name);
  // A value of now means nothing to who asks for one of then.
  return former?.to === undefined || former.convert !== undefined ? undefined : nodeAt(root, former.to);
}
