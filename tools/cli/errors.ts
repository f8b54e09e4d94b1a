import { relative } from "node:path";
import { ArgumentScannerError } from "@stricli/core";
import type { CodedError } from "../../core/base/index.ts";
import { explainSystemError } from "./system-errors.ts";
import { plainText } from "./text.ts";
import { showUsageError } from "./usage-errors.ts";

/** How errors are shown. */
export interface ShowErrorOptions {
  /** Places below this directory are shown relative to it. */
  readonly cwd: string;
  readonly color: boolean;
}

/** Exit code of a command that was not understood (`EX_USAGE` of sysexits.h). */
export const USAGE_EXIT_CODE = 64;
/** Exit code of a fault in Floe itself (`EX_SOFTWARE` of sysexits.h). */
export const FAULT_EXIT_CODE = 70;

const STACK_FRAMES = 6;
const CAUSES = 5;

/**
 * The text of an error for people, without a final line break.
 *
 * Shape: `[file:line:column: ]error: message [code]`, the details and causes indented, then the hint.
 */
export function showError(thrown: unknown, options: ShowErrorOptions): string {
  const error = explainSystemError(thrown);
  if (error instanceof ArgumentScannerError) return showUsageError(error, options);
  if (!isCodedError(error)) return showFault(error, options);
  const [message = "", ...more] = error.message.split("\n");
  const lines = [`${place(error, options)}${label("error:", options)} ${plainText(message)} [${error.code}]`];
  lines.push(...more.map((line) => (line.startsWith("  ") ? plainText(line) : `  ${plainText(line)}`)));
  for (const detail of error.details ?? []) lines.push(...indent(detail));
  lines.push(...causes(error.cause, options));
  if (error.hint !== undefined)
    lines.push(`  ${options.color ? "\x1b[36mhint:\x1b[39m" : "hint:"} ${plainText(error.hint)}`);
  return lines.join("\n");
}

/** Place and message of an error in one line, without colours. */
export function showErrorLine(thrown: unknown, cwd: string): string {
  const [line = ""] = showError(thrown, { cwd, color: false }).split("\n");
  return line.replace("error: ", "");
}

/** Whether an error is one for people. A story loads a copy of core/base of its own, so the class cannot tell. */
export function isCodedError(error: unknown): error is CodedError {
  return error instanceof Error && error.name === "CodedError" && "code" in error && typeof error.code === "string";
}

/** The exit code an error asks for. */
export function exitCodeOf(thrown: unknown): number {
  const error = explainSystemError(thrown);
  if (isCodedError(error)) return error.exitCode ?? 1;
  return FAULT_EXIT_CODE;
}

function causes(cause: unknown, options: ShowErrorOptions): string[] {
  const lines: string[] = [];
  let below = explainSystemError(cause);
  for (let depth = 0; below instanceof Error && depth < CAUSES; depth++) {
    const where = isCodedError(below) ? place(below, options) : "";
    const [head = "", ...rest] = below.message.split("\n");
    lines.push(...[`because: ${where}${head}`, ...rest].flatMap(indent));
    if (isCodedError(below)) for (const detail of below.details ?? []) lines.push(...indent(`  ${detail}`));
    below = explainSystemError(below.cause);
  }
  return lines;
}

function showFault(error: unknown, options: ShowErrorOptions): string {
  const lines = [`${label("error:", options)} Floe met a fault of its own: ${plainText(headOf(error))} [floe.fault]`];
  if (error instanceof Error) {
    const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
    lines.push(...frames.slice(0, STACK_FRAMES).map((frame) => `  ${plainText(frame.trim())}`));
    lines.push(...causes(error.cause, options));
  }
  lines.push(
    "  hint: This is a mistake in Floe, not in what you asked for. Please report it with the command and these lines.",
  );
  return lines.join("\n");
}

function headOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

function place(error: CodedError, options: ShowErrorOptions): string {
  if (error.at === undefined) return "";
  const { file, line, column } = error.at;
  const shown = relative(options.cwd, file);
  const name = file.startsWith("/") && !shown.startsWith("..") ? shown : file;
  return `${options.color ? "\x1b[1m" : ""}${plainText(name)}:${line}:${column}:${options.color ? "\x1b[22m" : ""} `;
}

function label(text: string, options: ShowErrorOptions): string {
  return options.color ? `\x1b[1;31m${text}\x1b[0m` : text;
}

function indent(text: string): string[] {
  return text.split("\n").map((line) => `  ${plainText(line)}`);
}
