import type { AnyOption, OptionGroup, OptionType } from "./option-type.ts";
import { isOption } from "./option-type.ts";

/** What two declarations of one option make: one option, or the path of what both say. */
export type JoinedOption =
  | { readonly kind: "joined"; readonly option: AnyOption }
  | { readonly kind: "clash"; readonly path: string };

/**
 * Join an option with another declaration of it. Only submodules can be joined, alone or within collections: each declares options
 * that the others do not, as one module extends what another one owns. All else has one declaration.
 *
 * @param path Of the option, for the path of a clash: `<name>` and `*` stand for free names and list elements.
 * @param first The one whose description counts, where both have one.
 */
export function joinOptions(path: string, first: AnyOption, second: AnyOption): JoinedOption {
  if (first.isDefaultDeclared && second.isDefaultDeclared) return { kind: "clash", path };
  const type = joinTypes(path, first.type, second.type);
  if (typeof type === "string") return { kind: "clash", path: type };
  const declared = second.isDefaultDeclared ? second : first;
  const { isDefaultDeclared } = declared;
  return {
    kind: "joined",
    option: {
      ...first,
      type,
      isDefaultDeclared,
      default: isDefaultDeclared ? declared.default : type.empty,
      hasDefault: isDefaultDeclared || type.empty !== undefined,
      defaultText: first.defaultText ?? second.defaultText,
      description: first.description ?? second.description,
      example: first.example ?? second.example,
      related: [...first.related, ...second.related],
      internal: first.internal && second.internal,
      readOnly: first.readOnly || second.readOnly,
    },
  };
}

/** The joined type, or the path of what cannot be joined. */
function joinTypes(path: string, first: OptionType, second: OptionType): OptionType | string {
  const [mine, other] = [first.parts, second.parts];
  if (mine === undefined || other === undefined) return path;
  if (mine.kind === "collection") {
    if (other.kind !== "collection" || other.of !== mine.of) return path;
    const element = joinTypes(`${path}${mine.suffix}`, mine.element, other.element);
    return typeof element === "string" ? element : mine.withElement(element);
  }
  if (other.kind !== "submodule") return path;
  const options = joinGroups(path, mine.options, other.options);
  if (typeof options === "string") return options;
  if (mine.freeform !== undefined && other.freeform !== undefined && mine.freeform.name !== other.freeform.name)
    return `${path}.<name>`;
  return mine.withParts(options, [...mine.rules, ...other.rules], mine.freeform ?? other.freeform);
}

function joinGroups(path: string, first: OptionGroup, second: OptionGroup): OptionGroup | string {
  const joined: Record<string, AnyOption | OptionGroup> = { ...first };
  for (const [name, member] of Object.entries(second)) {
    const known = first[name];
    const here = `${path}.${name}`;
    if (!Object.hasOwn(first, name) || known === undefined) {
      Object.defineProperty(joined, name, { value: member, enumerable: true });
    } else if (isOption(known) && isOption(member)) {
      const both = joinOptions(here, known, member);
      if (both.kind === "clash") return both.path;
      joined[name] = both.option;
    } else if (isOption(known) || isOption(member)) {
      return here;
    } else {
      const group = joinGroups(here, known, member);
      if (typeof group === "string") return group;
      joined[name] = group;
    }
  }
  return joined;
}
