import type { SourceLocation } from "../base/index.ts";
import type { Module } from "./module.ts";
import { collectModules } from "./module-list.ts";
import { type OptionNode, makeOptionTree, optionsOf } from "./option-tree.ts";
import { type AnyOption, type OptionGroup, isOption } from "./option-type.ts";
import { showValue } from "./value.ts";

/** What documentation says about one option. */
export interface OptionDocumentation {
  /** Dotted path; `<name>` and `*` stand for free names and list elements. */
  readonly path: string;
  readonly type: string;
  readonly description: string | undefined;
  /** The default as text, or `undefined` when the option has none. */
  readonly default: string | undefined;
  readonly example: string | undefined;
  readonly declaredBy: string;
  readonly declaredAt: SourceLocation | undefined;
}

/** Documentation of all options that modules declare, without evaluating any configuration. */
export function documentOptions(modules: readonly Module[]): OptionDocumentation[] {
  const found: OptionDocumentation[] = [];
  const list = collectModules({ modules, at: undefined });
  for (const node of optionsOf(makeOptionTree(list.modules, () => {}))) {
    documentOne(node.path, node.option, node, found);
  }
  return found;
}

/** Documentation of one option, without those inside it. */
export function documentNode({ path, option, declaredBy, declaredAt }: OptionNode): OptionDocumentation {
  const found: OptionDocumentation[] = [];
  documentOne(path, { ...option, internal: false }, { declaredBy, declaredAt }, found);
  return found[0] as OptionDocumentation;
}

interface Declared {
  readonly declaredBy: string;
  readonly declaredAt: SourceLocation | undefined;
}

function documentOne(path: string, option: AnyOption, declared: Declared, found: OptionDocumentation[]): void {
  if (option.internal) return;
  found.push({
    path,
    type: option.type.name,
    description: option.description,
    default: option.hasDefault ? showValue(option.default) : undefined,
    example: option.example === undefined ? undefined : showValue(option.example),
    declaredBy: declared.declaredBy,
    declaredAt: declared.declaredAt,
  });
  const { inner } = option.type;
  if (inner !== undefined) documentGroup(`${path}${inner.suffix}`, inner.options, declared, found);
}

function documentGroup(path: string, group: OptionGroup, declared: Declared, found: OptionDocumentation[]): void {
  for (const [name, member] of Object.entries(group)) {
    if (isOption(member)) documentOne(`${path}.${name}`, member, declared, found);
    else documentGroup(`${path}.${name}`, member, declared, found);
  }
}
