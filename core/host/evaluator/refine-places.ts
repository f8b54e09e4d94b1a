import { readFileSync } from "node:fs";
import { locateDefinition } from "../../flake/index.ts";
import type { Places } from "./places.ts";
import type { ErrorReport } from "./protocol.ts";

const PLACE = /(\/[^\s:]+):(\d+):(\d+)/g;

/**
 * The report of an option, with the places of its calls (`define`, `makeSystem`) moved to the keys that they are about.
 *
 * An evaluation knows the call alone; the text of the file, which it has no business with, shows the rest. What is not
 * written out there keeps the place of the call.
 */
export function refinePlaces(report: ErrorReport, places: Places): ErrorReport {
  if (report.code?.startsWith("option.") !== true) return report;
  const texts = new Map<string, string | undefined>();
  const textOf = (file: string): string | undefined => {
    if (!texts.has(file))
      texts.set(file, places.has(file) && !places.isEngine(file) ? tryRead(places.fileOnHost(file)) : undefined);
    return texts.get(file);
  };
  const move = (at: NonNullable<ErrorReport["at"]>, about: string): NonNullable<ErrorReport["at"]> => {
    const text = textOf(at.file);
    if (text === undefined) return at;
    for (const path of optionsIn(about)) {
      const found = locateDefinition(text, at, path);
      if (found !== undefined) return { ...at, ...found };
    }
    return at;
  };
  const moveAll = (text: string, about: string): string =>
    text.replace(PLACE, (_, file: string, line: string, column: string) => {
      const at = move({ file, line: Number(line), column: Number(column) }, about);
      return `${at.file}:${at.line}:${at.column}`;
    });
  const details = report.details?.map((line) => moveAll(line, optionsIn(line).length > 0 ? line : report.message));
  return {
    ...report,
    message: moveAll(report.message, report.message),
    ...(report.at === undefined ? {} : { at: move(report.at, `${formerName(report)} ${report.message}`) }),
    ...(details === undefined ? {} : { details }),
  };
}

/** The name in quotes by which the definition was written, when that is a former one of the option. */
function formerName({ at, details = [] }: ErrorReport): string {
  const place = at === undefined ? "" : `${at.file}:${at.line}:${at.column}: `;
  const warning = details.find((line) => line.includes(`${place}"`) && line.includes(" has another name now."));
  return /"[^"]*"/.exec(warning ?? "")?.[0] ?? "";
}

/** Paths of options that a text names in quotes: `"services.web.sites.blog"`, `"web.list[0]"`. */
function optionsIn(text: string): string[][] {
  return [...text.matchAll(/"([\w-]+(?:\.[\w-]+)+)[^"\s]*"/g)].map(([, path = ""]) => path.split("."));
}

function tryRead(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
