import { readFileSync } from "node:fs";
import type { SourceLocation } from "../../base/index.ts";
import { type DocComments, findDocComments, keyOfPath, locateDefinition } from "../../flake/index.ts";
import type { Places } from "./places.ts";
import type { ErrorReport } from "./protocol.ts";

const PLACE = /(\/[^\s:]+):(\d+):(\d+)/g;

/**
 * Moves places of calls (`define`, `makeSystem`) to the keys that they are about.
 *
 * An evaluation knows the call alone; the text of the file, which it has no business with, shows the rest. What is not
 * written out there keeps the place of the call.
 */
export class KeyPlaces {
  readonly #places: Places;
  readonly #texts = new Map<string, string | undefined>();

  constructor(places: Places) {
    this.#places = places;
  }

  /** @param about A text that names the option in quotes; of several the first that is found counts. */
  move(at: SourceLocation, about: string): SourceLocation {
    const text = this.textOf(at.file);
    if (text === undefined) return at;
    for (const path of optionsIn(about)) {
      const found = locateDefinition(text, at, path);
      if (found !== undefined) return { ...at, ...found };
    }
    return at;
  }

  /** A text with all places in it moved. */
  moveAll(text: string, about = text): string {
    return text.replace(PLACE, (_, file: string, line: string, column: string) => {
      const at = this.move({ file, line: Number(line), column: Number(column) }, about);
      return `${at.file}:${at.line}:${at.column}`;
    });
  }

  /** A file of the sources, the engine's left out; read once. */
  textOf(file: string): string | undefined {
    const places = this.#places;
    if (!this.#texts.has(file))
      this.#texts.set(file, places.has(file) && !places.isEngine(file) ? tryRead(places.fileOnHost(file)) : undefined);
    return this.#texts.get(file);
  }
}

/** The report of an option, with the places in it moved to the keys: see {@link KeyPlaces}. */
export function refinePlaces(report: ErrorReport, places: Places): ErrorReport {
  if (report.code?.startsWith("option.") !== true) return report;
  const keys = new KeyPlaces(places);
  const details = report.details?.map((line) => keys.moveAll(line, optionsIn(line).length > 0 ? line : report.message));
  return {
    ...report,
    message: keys.moveAll(report.message),
    ...(report.at === undefined ? {} : { at: keys.move(report.at, `${formerName(report)} ${report.message}`) }),
    ...(details === undefined ? {} : { details }),
  };
}

/** How places in a value, which are the same on every machine (`/@flake/a.ts:1:2`), are told to people. */
export interface ToldPlaces {
  /** A text with places on this machine. */
  readonly onHost: (text: string) => string;
  /** The same for one about options, which it names in quotes: the place of a call that defines one becomes that of its key. */
  readonly onKeys: (text: string) => string;
  /** The place of a definition of the option at a path, on this machine already, moved to its key. */
  readonly keyAt: (at: SourceLocation, path: string) => SourceLocation;
  /**
   * The doc comment above the key at a path of keys in the call at a place, such as that of an option where it is declared. An evaluation
   * never sees a comment, so nothing it gives depends on one.
   */
  readonly commentOn: (at: SourceLocation, keys: readonly string[]) => string | undefined;
}

export function tellPlaces(places: Places): ToldPlaces {
  const keyPlaces = new KeyPlaces(places);
  const calls = new Map<string, DocComments>();
  const inside = (file: string): string | undefined => (places.has(file) ? file : places.inside(file));
  return {
    onHost: (text) => places.onHost(text),
    onKeys: (text) => places.onHost(keyPlaces.moveAll(text)),
    keyAt(at, path) {
      const file = inside(at.file);
      return file === undefined ? at : { ...keyPlaces.move({ ...at, file }, `option "${path}"`), file: at.file };
    },
    commentOn({ file, line, column }, keys) {
      const call = `${file}:${line}:${column}`;
      let comments = calls.get(call);
      if (comments === undefined) {
        const place = inside(file);
        const text = place === undefined ? undefined : keyPlaces.textOf(place);
        comments = text === undefined ? new Map<string, string>() : findDocComments(text, { line, column });
        calls.set(call, comments);
      }
      return comments.get(keyOfPath(keys));
    },
  };
}

/** The name in quotes by which the definition was written, when that is a former one of the option. */
function formerName({ at, details = [] }: ErrorReport): string {
  const place = at === undefined ? "" : `${at.file}:${at.line}:${at.column}: `;
  const warning = details.find((line) => line.includes(`${place}"`) && line.includes(" has another name now."));
  return /"[^"]*"/.exec(warning ?? "")?.[0] ?? "";
}

/** Paths of options that a text names in quotes: `"services.web.sites.blog"`, `"web.list[0]"`, `option "services"`. */
function optionsIn(text: string): string[][] {
  const found = text.matchAll(/"([\w-]+(?:\.[\w-]+)+)[^"\s]*"|(?<=\boption )"([\w-]+)"/g);
  return [...found].map(([, path, name]) => (path ?? (name as string)).split("."));
}

function tryRead(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
