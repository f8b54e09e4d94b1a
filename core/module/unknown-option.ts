import { CodedError, type Diagnostic, nearNames, sortedText } from "../base/index.ts";
import { showMember } from "./collection-types.ts";
import { type Definition, diagnose } from "./definition.ts";
import { isPlainObject, showKind } from "./value.ts";

/** What is wrong with a definition of a group, or of the whole configuration (`""`); `undefined` for an attribute set. */
export function groupFault(path: string, part: Definition): Diagnostic | undefined {
  const { value } = part;
  if (isPlainObject(value)) return undefined;
  if (path === "") {
    return diagnose(
      "option.wrong-type",
      `Cannot use ${showKind(value)} for the configuration: expected an attribute set`,
      part.at,
      "Write options by their names: { services: { … } }.",
    );
  }
  return diagnose(
    "option.wrong-type",
    `Cannot use ${showKind(value)} for "${path}": expected an attribute set, since "${path}" is a group of options`,
    part.at,
    `Write the options of it: { ${path.split(".").at(-1) ?? path}: { … } }.`,
  );
}

/** A name that no module declares. */
export interface UnknownOption extends Diagnostic {
  /** The path that was asked for. */
  readonly option: string;
}

export function isUnknownOption(diagnostic: Diagnostic): diagnostic is UnknownOption {
  return diagnostic.code === "option.unknown" && "option" in diagnostic;
}

/** {@link UnknownOption} for a rule that reads it. */
export class UnknownOptionRead extends CodedError implements UnknownOption {
  readonly option: string;

  constructor({ code, message, hint, option }: UnknownOption, at: Definition["at"]) {
    super(code, message, { hint, at });
    this.option = option;
  }
}

/** The diagnostic for a name that no module declares, with the closest one that some does. */
export function unknownOption(
  path: string,
  name: string,
  known: readonly string[],
  at: Definition["at"],
  verb: "set" | "read" = "set",
): UnknownOption {
  const option = showMember(path, name);
  const [meant] = nearNames(name, known, 1);
  const shown = sortedText(known);
  const list = shown.length > 8 ? `${shown.slice(0, 8).join(", ")}, …` : shown.join(", ");
  const diagnostic = diagnose(
    "option.unknown",
    `Cannot ${verb} option "${option}": found no such option${known.length === 0 ? "" : `, expected one of ${list}`}`,
    at,
    meant === undefined ? undefined : `Did you mean "${showMember(path, meant)}"?`,
  );
  return { ...diagnostic, option };
}
