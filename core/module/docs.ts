import { type SourceLocation, compareText } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
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
  readonly related: readonly string[];
  readonly readOnly: boolean;
  readonly declaredBy: string;
  readonly declaredAt: SourceLocation | undefined;
}

/**
 * Documentation of all options that modules declare, in the order of paths, without evaluating any configuration.
 *
 * @param disabledModules Modules that take no part, by value or by key, as `evaluateModules` takes them. Default none.
 * @throws {CodedError} those of `collectModules`
 */
export function documentOptions(
  modules: readonly Module[],
  disabledModules: readonly (Module | string)[] = [],
): OptionDocumentation[] {
  const list = collectModules({ modules, disabledModules, at: undefined });
  return documentNodes(optionsOf(makeOptionTree(list.modules, () => {})));
}

/** Documentation of options and of those inside them, in the order of paths. */
export function documentNodes(nodes: Iterable<OptionNode>): OptionDocumentation[] {
  const found: OptionDocumentation[] = [];
  for (const node of nodes) documentOne(node.path, node.option, node, found);
  return found.sort((a, b) => compareText(a.path, b.path));
}

/** What documentation needs to know of an option. */
type DocumentedNode = Pick<OptionNode, "path" | "option" | "declaredBy" | "declaredAt">;

/** Documentation of one option, hidden ones too, without the options inside it. */
export function documentNode({ path, option, declaredBy, declaredAt }: DocumentedNode): OptionDocumentation {
  const { type, description, default: value, defaultText, example, hasDefault, related, readOnly } = option;
  return {
    path,
    type: type.name,
    description,
    default: defaultText ?? (hasDefault ? showValue(value) : undefined),
    example: example === undefined ? undefined : showValue(example),
    related,
    readOnly,
    declaredBy,
    declaredAt,
  };
}

type Declared = Pick<OptionDocumentation, "declaredBy" | "declaredAt">;

function documentOne(path: string, option: AnyOption, declared: Declared, found: OptionDocumentation[]): void {
  if (option.internal || option.visible === false) return;
  const { declaredBy, declaredAt } = declared;
  found.push(documentNode({ path, option, declaredBy, declaredAt }));
  const { inner } = option.type;
  if (inner === undefined || option.visible === "shallow") return;
  documentGroup(`${path}${inner.suffix}`, inner.options, declared, found);
}

function documentGroup(path: string, group: OptionGroup, declared: Declared, found: OptionDocumentation[]): void {
  for (const [name, member] of Object.entries(group)) {
    if (isOption(member)) documentOne(showMember(path, name), member, declared, found);
    else documentGroup(showMember(path, name), member, declared, found);
  }
}
