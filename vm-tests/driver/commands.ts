import { CodedError } from "../../core/base/index.ts";
import type { CommandResult } from "../machine.ts";
import type { ExecResult } from "./agent-exec.ts";

/** Lines of a command's output that an error shows. */
const SHOWN_LINES = 20;

/** The statuses with which a shell says that it could not run a program. */
const NOT_RUN = [126, 127];
/** Signals have numbers up to this; a shell reports a program that one has ended as 128 and the number. */
const LAST_SIGNAL = 64;

const LONGEST_LINE = 160;

/** A command's text as one short line. */
export function showCommand(command: string): string {
  return shorten(command.trim().replace(/\s*\n\s*/g, "; "));
}

function shorten(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 3)}...` : line;
}

export function toResult(result: ExecResult): CommandResult {
  return {
    stdout: result.stdout.toString(),
    stderr: result.stderr.toString() + (result.notStarted === undefined ? "" : `${result.notStarted}\n`),
    status: result.status,
    durationMs: result.durationMs,
    ...(result.signal === undefined ? {} : { signal: result.signal }),
  };
}

/** @throws {CodedError} `command.failed` unless the command succeeded. */
export function checkSucceeded(machine: string, command: string, result: CommandResult): CommandResult {
  if (result.status === 0) return result;
  const how = result.signal === undefined ? `exit status ${result.status}` : `ended by ${result.signal}`;
  throw new CodedError(
    "command.failed",
    `Cannot run "${showCommand(command)}" on "${machine}": ${how}, expected success${lastWordOf(result)}`,
    {
      details: showOutput(result),
    },
  );
}

/** Why a command failed, in few words: what the kernel said of it, else what it said last itself. */
function lastWordOf({ stderr, complaint }: CommandResult): string {
  if (complaint !== undefined) return `; the kernel said: ${shorten(complaint.replace(/^\[[\s\d.]+\] /, ""))}`;
  const line = stderr.trimEnd().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? "" : `; it said: ${shorten(line)}`;
}

/**
 * @throws {CodedError} `command.succeeded` when the command did not fail; `command.not-run` when it did so without having said no
 * itself: a program that is missing, or a signal.
 */
export function checkFailed(machine: string, command: string, result: CommandResult): CommandResult {
  if (result.status === 0) {
    throw new CodedError(
      "command.succeeded",
      `Cannot see "${showCommand(command)}" fail on "${machine}": it succeeded`,
      {
        details: showOutput(result),
      },
    );
  }
  if (wasNotAnswered(result)) {
    throw new CodedError(
      "command.not-run",
      `Cannot see "${showCommand(command)}" fail on "${machine}": it did not come to an answer (${result.signal ?? `status ${result.status}`})`,
      { details: showOutput(result) },
    );
  }
  return result;
}

/** Whether a command ended without having said no: nothing ran, or a signal ended it or the program its shell waited for. */
function wasNotAnswered(result: CommandResult): boolean {
  return NOT_RUN.includes(result.status) || endedBySignal(result);
}

/** Whether a signal ended a command, or the program its shell waited for. */
export function endedBySignal({ status, signal }: CommandResult): boolean {
  return signal !== undefined || (status > 128 && status <= 128 + LAST_SIGNAL);
}

/** The last lines of both streams. */
export function showOutput(result: Pick<CommandResult, "stdout" | "stderr">): string[] {
  return (["stdout", "stderr"] as const).flatMap((name) => {
    const lines = result[name].trimEnd().split("\n");
    if (lines.length === 1 && lines[0] === "") return [];
    return [`${name}:`, ...lines.slice(-SHOWN_LINES).map((line) => `  ${line}`)];
  });
}
