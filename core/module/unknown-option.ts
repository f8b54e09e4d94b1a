import { nearNames, sortedText } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
import { type Definition, type Report, diagnose } from "./definition.ts";
import { isPlainObject, showKind } from "./value.ts";

/** Whether a definition of a group is an attribute set; if not, that is reported. */
export function isGroupPart(path: string, part: Definition, report: Report): boolean {
  const { value } = part;
  if (isPlainObject(value)) return true;
  report(
    diagnose(
      "option.wrong-type",
      `Cannot use ${showKind(value)} for "${path}": expected an attribute set, since "${path}" is a group of options`,
      part.at,
      `Write the options of it: { ${path.split(".").at(-1) ?? path}: { … } }.`,
    ),
  );
  return false;
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
  const shown = sortedText(known);
  const list = shown.length > 8 ? `${shown.slice(0, 8).join(", ")}, …` : shown.join(", ");
  return diagnose(
    "option.unknown",
    `Cannot ${verb} option "${showMember(path, name)}": found no such option${known.length === 0 ? "" : `, expected one of ${list}`}`,
    at,
    meant === undefined ? undefined : `Did you mean "${showMember(path, meant)}"?`,
  );
}
