import { CodedError, type SourceLocation } from "../../base/index.ts";
import type { ErrorReport } from "./protocol.ts";

/** Most frames of the user's own code that are told; with the message they make less than a screen. */
const MAX_FRAMES = 8;
const FRAME = /^\s*at (?:(.*?) \()?(?:file:\/\/)?(\/.+?):(\d+):(\d+)\)?$/;

export interface ReportErrorOptions {
  /** Folder of the engine; frames below its `core` and its bundle are folded. */
  readonly engine: string;
  /** What was evaluated, for an error that does not say so itself. */
  readonly subject: string;
}

/** An error of an evaluation, as one of this process: it begins with the place in the user's code. */
export function toCodedError(report: ErrorReport, options: ReportErrorOptions): CodedError {
  const frames = userFrames(report.stack, options.engine);
  const own = report.code !== undefined && /^[a-z0-9-]+\.[a-z0-9-]+$/.test(report.code);
  const message = own ? report.message : `Cannot evaluate ${options.subject}: ${report.name}: ${report.message}`;
  const at = report.at ?? frames[0]?.at;
  const rest = frames.filter((frame) => frame.at.file !== at?.file || frame.at.line !== at.line);
  const shown = rest
    .slice(0, MAX_FRAMES)
    .map((frame) => `at ${frame.name}${frame.at.file}:${frame.at.line}:${frame.at.column}`);
  if (rest.length > MAX_FRAMES) shown.push(`… and ${rest.length - MAX_FRAMES} more`);
  const { cause } = report;
  return new CodedError(own ? (report.code as string) : "evaluation.failed", message, {
    at,
    hint: report.hint,
    details: [...(report.details ?? []), ...shown],
    // A cause with the same words is the engine's own error with a place added.
    ...(cause === undefined || cause.message === report.message ? {} : { cause: toCodedError(cause, options) }),
  });
}

function userFrames(stack: string, engine: string): { name: string; at: SourceLocation }[] {
  return stack.split("\n").flatMap((line) => {
    const match = FRAME.exec(line);
    if (match === null || isEngine(match[2] as string, engine)) return [];
    const name =
      match[1] === undefined || /^(Module\.|Object\.)?<anonymous>$/.test(match[1])
        ? ""
        : `${match[1].replace(/^(Module|Object)\./, "")} `;
    return [{ name, at: { file: match[2] as string, line: Number(match[3]), column: Number(match[4]) } }];
  });
}

function isEngine(file: string, engine: string): boolean {
  return file.startsWith(`${engine}/core/`) || file.startsWith(`${engine}/dist/`);
}
