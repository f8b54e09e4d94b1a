/** A place in a source text. Shape: file is an absolute path or a name; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What a {@link CodedError} may carry besides its code and message. */
export interface CodedErrorOptions {
  /** A full sentence that says what would help, best with a line to paste. */
  readonly hint?: string | undefined;
  /** Where the author of the faulty value wrote it. */
  readonly at?: SourceLocation | undefined;
  /** The failure below this one. */
  readonly cause?: unknown;
  /** Further lines for people, shown below the message. */
  readonly details?: readonly string[] | undefined;
  /** Exit status a command should end with; the CLI takes 1 when absent. */
  readonly exitCode?: number | undefined;
}

/**
 * The one error type for people: what we were doing, what we found, what would help.
 *
 * Shape: `code` is `<subject>.<problem>` and stable; `message` is `Cannot <verb> <object in quotes>: <found, expected>`
 * without a final full stop.
 */
export class CodedError extends Error {
  override readonly name = "CodedError";
  readonly code: string;
  declare readonly hint?: string;
  declare readonly at?: SourceLocation;
  declare readonly details?: readonly string[];
  declare readonly exitCode?: number;

  constructor(code: string, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    // Absent stays absent (not `undefined`), so that errors compare and print without empty fields.
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.at !== undefined) this.at = options.at;
    if (options.details !== undefined) this.details = options.details;
    if (options.exitCode !== undefined) this.exitCode = options.exitCode;
  }
}

/** One fault found by a check that can find many; {@link raise} turns a list of them into one error. */
export interface Diagnostic {
  readonly code: string;
  readonly message: string;
  readonly at?: SourceLocation | undefined;
  readonly hint?: string | undefined;
}

/**
 * Throw when there is at least one diagnostic.
 *
 * @throws {CodedError} with code, place and hint of the first one. When there are more, each of them is a line of `details`.
 */
export function raise(diagnostics: readonly Diagnostic[]): void {
  const [first] = diagnostics;
  if (first === undefined) return;
  if (diagnostics.length === 1) {
    throw new CodedError(first.code, first.message, { at: first.at, hint: first.hint });
  }
  // The rest of a message of several lines is among the details.
  const [line = ""] = first.message.split("\n");
  throw new CodedError(first.code, `${line.replace(/:$/, "")} (and ${diagnostics.length - 1} more)`, {
    at: first.at,
    hint: first.hint,
    details: diagnostics.map((d) => (d.at === undefined ? d.message : `${formatLocation(d.at)}: ${d.message}`)),
  });
}

/** `file:line:column`, the form editors and terminals turn into a link. */
export function formatLocation(at: SourceLocation): string {
  return `${at.file}:${at.line}:${at.column}`;
}

/**
 * Mark a branch the types rule out.
 *
 * @throws {CodedError} `internal.unreachable` when a value arrives here nevertheless.
 */
export function unreachable(value: never): never {
  throw new CodedError("internal.unreachable", `Cannot go on with "${String(value)}": no case covers this value`);
}
