import { CodedError, compareText, decodePath, formatLocation, type SourceLocation } from "../../base/index.ts";
import { EXPRESSION_PLACE, EXPRESSION_START } from "./inside/expression-place.ts";
import type { Places } from "./places.ts";
import type { ErrorReport } from "./protocol.ts";
import { refinePlaces } from "./refine-places.ts";

/** Most frames of the user's own code that are told; with the message they make less than a screen. */
const MAX_FRAMES = 8;
/** A line before the first of a module is `null`. */
const FRAME = /^\s*at (?:(.*?) \()?(?:file:\/\/)?(\/.+?):(\d+|null):(\d+)\)?$/;

/** Longest message, hint or line of details, in UTF-16 units; what is longer was made by a loop and helps nobody. */
const MAX_TEXT = 4_000;
/** Most lines of one text: with frames and hint less than a screen. */
const MAX_LINES = 12;
const MAX_DETAILS = 100;
const MAX_STACK = 40_000;
const MAX_FRAME = 1_000;

export interface ReportErrorOptions {
  /** Tells places inside as places on this machine. */
  readonly places: Places;
  /** What was evaluated, for an error that does not say so itself. */
  readonly subject: string;
  /** Where to look when the error has no place of its own. */
  readonly near?: SourceLocation | undefined;
}

/**
 * An error of an evaluation, as one of this process: it begins with the place in the user's code.
 *
 * The report comes from foreign code: a place that lies in no source is left out, and long texts are cut.
 */
export function toCodedError(reported: ErrorReport, options: ReportErrorOptions): CodedError {
  const { places, subject, near } = options;
  const report = refinePlaces(reported, places);
  const show = (text: string): string => places.onHost(cut(text));
  const frames = userFrames(report.stack, places);
  const coded = report.code !== undefined && /^[a-z0-9-]+\.[a-z0-9-]+$/.test(report.code);
  const message = coded ? report.message : `Cannot evaluate ${subject}: ${report.name}: ${report.message}`;
  const own = isPlaceIn(report.at, places) ? report.at : firstPlace(report, frames);
  // What was asked for and is not there has no place in the flake.
  const at = own ?? (coded && report.code?.startsWith("flake.attribute-") ? undefined : near);
  const rest = frames.filter((frame) => frame.at.file !== at?.file || frame.at.line !== at.line);
  const told = withoutRepeats(rest.map((frame) => `at ${frame.name}${formatLocation(frame.at)}`));
  const shown = told.slice(0, MAX_FRAMES);
  if (told.length > MAX_FRAMES) shown.push(`… and ${told.length - MAX_FRAMES} more`);
  const { cause } = report;
  return new CodedError(coded ? (report.code as string) : "evaluation.failed", show(message), {
    at: at && { ...at, file: places.onHost(at.file) },
    hint: report.hint === undefined ? (coded ? undefined : adviceOn(report)) : show(report.hint),
    details: [...(report.details ?? []).slice(0, MAX_DETAILS), ...shown].map(show),
    // A cause with the same words is the engine's own error with a place added.
    ...(cause === undefined || cause.message === report.message
      ? {}
      : { cause: toCodedError(cause, { places, subject }) }),
  });
}

const OVERFLOW = "Maximum call stack size exceeded";

/** Where an error without a place of its own comes from. Which of functions that call each other met the end is a matter of bytes. */
function firstPlace(
  { message }: ErrorReport,
  frames: readonly { readonly at: SourceLocation }[],
): SourceLocation | undefined {
  const places = frames.map(({ at }) => at);
  if (message !== OVERFLOW) return places[0];
  return places.sort((a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column)[0];
}

/** Functions that call each other give the same lines over and over. */
function withoutRepeats(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return [...counts].map(([line, count]) => (count > 2 ? `${line} (${count} times)` : line));
}

/** What helps with an error that the language raises, or the author of the configuration. */
function adviceOn({ name, message }: ErrorReport): string {
  const member = /^Cannot (?:read|set) properties of (?:undefined|null) \((?:reading|setting) '(.*)'\)$/.exec(
    message,
  )?.[1];
  if (member !== undefined)
    return `Nothing is there before ".${member}": check how it is spelt, or write "?." where it may be missing.`;
  if (/^Cannot access '.*' before initialization$/.test(message))
    return "It is used before its line has run; where files import each other, move what both need into a third one, or use it inside a function.";
  if (/is not a function$/.test(message))
    return "Check how it is spelt, and what the value has: console.log(Object.keys(…)) prints it.";
  if (/is not defined$/.test(message)) return "Check how it is spelt, or import it at the top of the file.";
  if (/read.only|not extensible|Cannot (?:assign|define|add|delete) /.test(message))
    return "Values that others see cannot be changed; make a new one: { ...old, name: value }.";
  if (message === OVERFLOW) return "Functions call each other without end: one of them needs a case that stops.";
  if (/^(?:Syntax|Type|Range|Reference|URI)Error$/.test(name))
    return "console.log(…) there prints the values on the way.";
  return "The configuration throws this itself, at the place shown; console.log(…) there prints the values on the way.";
}

function userFrames(stack: string, places: Places): { name: string; at: SourceLocation }[] {
  return stack
    .slice(-MAX_STACK)
    .split("\n")
    .flatMap((line) => {
      const match = line.length > MAX_FRAME ? null : FRAME.exec(line);
      if (match === null) return [];
      const [, called, file, lineNumber, column] = match as unknown as [
        string,
        string | undefined,
        string,
        string,
        string,
      ];
      // The `return` that an expression is put behind stands on the line before its first.
      const before = lineNumber === "null" && file === EXPRESSION_PLACE;
      const at = before
        ? EXPRESSION_START
        : { file: decodePath(file), line: Number(lineNumber), column: Number(column) };
      if (!isPlaceIn(at, places) || places.isEngine(at.file)) return [];
      const name =
        called === undefined || /^(Module\.|Object\.)?<anonymous>$/.test(called)
          ? ""
          : `${called.replace(/^(Module|Object)\./, "")} `;
      return [{ name, at }];
    });
}

function isPlaceIn(at: SourceLocation | undefined, places: Places): at is SourceLocation {
  const counts = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  return at !== undefined && counts(at.line) && counts(at.column) && places.has(at.file);
}

function cut(whole: string): string {
  const lines = whole.split("\n");
  const shown = lines.slice(0, MAX_LINES).join("\n");
  const text = lines.length > MAX_LINES ? `${shown}\n… and ${lines.length - MAX_LINES} more lines` : whole;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length - MAX_TEXT} more)` : text;
}
