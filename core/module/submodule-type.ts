import { nearNames } from "../base/index.ts";
import { type Definition, type Report, diagnose, memberOf } from "./definition.ts";
import { showMember } from "./collection-types.ts";
import { type AnyOption, type OptionGroup, type OptionType, isOption, mergeDefinitions } from "./option-type.ts";
import { isPlainObject, showKind } from "./value.ts";

/** An attribute set with declared names. Every option in it without a default has to be defined. */
export function submoduleType(options: OptionGroup): OptionType {
  return {
    name: "submodule",
    mismatch: (value) => (isPlainObject(value) ? undefined : "an attribute set with the declared options"),
    merge: (path, definitions, report) => mergeGroup(path, options, definitions, report),
    inner: { suffix: "", options },
  };
}

function mergeGroup(
  path: string,
  group: OptionGroup,
  definitions: readonly Definition[],
  report: Report,
): Readonly<Record<string, unknown>> {
  const byName = new Map<string, Definition[]>();
  for (const definition of definitions) {
    for (const [name, value] of Object.entries(definition.value as object)) {
      if (value === undefined) continue;
      if (!Object.hasOwn(group, name)) {
        report(unknownOption(path, name, Object.keys(group), definition.at));
        continue;
      }
      const parts = byName.get(name) ?? [];
      parts.push(memberOf(definition, value));
      byName.set(name, parts);
    }
  }
  const merged: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(group)) {
    merged[name] = mergeMember(showMember(path, name), member, byName.get(name) ?? [], definitions, report);
  }
  return Object.freeze(merged);
}

function mergeMember(
  path: string,
  member: AnyOption | OptionGroup,
  parts: readonly Definition[],
  whole: readonly Definition[],
  report: Report,
): unknown {
  if (!isOption(member)) return mergeGroup(path, member, groupParts(path, parts, report), report);
  if (parts.length > 0) return mergeDefinitions(member.type, path, parts, report);
  if (member.hasDefault) return member.default;
  report(
    diagnose(
      "option.no-value",
      `Cannot read option "${path}": found no definition, expected ${member.type.name}`,
      whole[0]?.at,
    ),
  );
  return undefined;
}

/** The definitions of a group that are attribute sets; the others are reported. */
export function groupParts(path: string, parts: readonly Definition[], report: Report): Definition[] {
  return parts.filter((part) => {
    const { value } = part;
    if (isPlainObject(value)) return true;
    report(
      diagnose(
        "option.wrong-type",
        `Cannot use ${showKind(value)} for "${path}": expected an attribute set, since "${path}" is a group of options`,
        part.at,
      ),
    );
    return false;
  });
}

/** The diagnostic for a name that no module declares, with the closest one that some does. */
export function unknownOption(
  path: string,
  name: string,
  known: readonly string[],
  at: Definition["at"],
  verb: "set" | "read" = "set",
): ReturnType<typeof diagnose> {
  const [meant] = nearNames(name, known, 1);
  const shown = [...known].sort();
  const list = shown.length > 8 ? `${shown.slice(0, 8).join(", ")}, …` : shown.join(", ");
  return diagnose(
    "option.unknown",
    `Cannot ${verb} option "${showMember(path, name)}": found no such option${known.length === 0 ? "" : `, expected one of ${list}`}`,
    at,
    meant === undefined ? undefined : `Did you mean "${showMember(path, meant)}"?`,
  );
}
