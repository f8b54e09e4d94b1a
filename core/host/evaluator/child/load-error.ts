import { placeAt, type TextPlace } from "../../../flake/index.ts";
import type { ErrorReport } from "../protocol.ts";

export type Place = NonNullable<ErrorReport["at"]>;

/** A module that cannot be loaded, with the place in the importing or faulty file. */
export class LoadError extends Error {
  readonly report: ErrorReport;

  constructor(report: Omit<ErrorReport, "name" | "stack">) {
    super(report.message);
    this.report = { name: "CodedError", stack: "", ...report };
  }
}

export function tooDeep(identifier: string): LoadError {
  return new LoadError({
    code: "evaluation.syntax",
    message: `Cannot load "${identifier}": its expressions are too deep inside each other`,
    at: { file: identifier, line: 1, column: 1 },
  });
}

/** Where a text has what it imports by this name; its beginning where nothing is found. */
export function findImport(text: string, specifier: string): TextPlace {
  // One that comes of running code may be longer than a pattern.
  if (text === "") return { line: 1, column: 1 };
  const quoted = specifier.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const found = findText(text, new RegExp(`(?<=(?:\\bfrom|\\bimport)\\s*)["']${quoted}["']`));
  // Behind a comment, say.
  return found.line + found.column > 2 ? found : findText(text, new RegExp(`["']${quoted}["']`));
}

/** The first place of a pattern in a text; its beginning where there is none. */
export function findText(text: string, pattern: RegExp): TextPlace {
  return placeAt(text, Math.max(0, text.search(pattern)));
}
