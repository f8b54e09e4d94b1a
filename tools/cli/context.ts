import type { ApplicationContext } from "@stricli/core";
import { Output, type OutputStream } from "./output.ts";
import { jsonText } from "./text.ts";

/** What a command knows about the terminal it talks to. */
export interface Terminal {
  /** Whether words for people (stderr) go to a terminal. Progress is drawn in place only then. */
  readonly interactive: boolean;
  /** Whether colours are wanted on stderr: a terminal, and neither `NO_COLOR` nor `TERM=dumb`. */
  readonly color: boolean;
  /** Width of the terminal in columns; 80 when it does not say. */
  columns(): number;
}

/**
 * The `this` of every command function: the outer world, handed in.
 *
 * Results go to `print` (stdout), words for people to `say` (stderr).
 */
export interface CliContext extends ApplicationContext {
  readonly process: CliProcess;
  /** The directory in which the command was started, absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted at the first Ctrl-C (or SIGTERM, SIGHUP); its reason is the error to end with. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  /** Write one line of results to stdout; many are written faster as one text. */
  print(line: string): void;
  /** Write a value to stdout as indented JSON. */
  printJson(value: unknown): void;
  /** Write one line for people to stderr. */
  say(line: string): void;
  /** Whether anything was written to stderr. */
  hasSaid(): boolean;
  /** End with this exit code when the command function returns (default 0). */
  exitWith(code: number): void;
}

export interface CliProcess {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  exitCode?: number | string | null;
}

/** Make the context of this process. */
export function makeContext(signal: AbortSignal): CliContext {
  const { env } = process;
  const [stdout, stderr] = [new Output("stdout"), new Output("stderr")];
  const state: CliProcess = { stdout, stderr, env };
  const interactive = stderr.isTerminal && env["TERM"] !== "dumb";
  return {
    process: state,
    cwd: process.cwd(),
    env,
    signal,
    terminal: {
      interactive,
      color: wantsColor(interactive, env),
      columns: () => (stderr.isTerminal && stderr.stream.columns) || 80,
    },
    print: (line) => stdout.line(line),
    printJson: (value) => stdout.write(jsonText(value)),
    say: (line) => stderr.line(line),
    hasSaid: () => stderr.isUsed,
    exitWith: (code) => {
      state.exitCode = code;
    },
  };
}

function wantsColor(interactive: boolean, env: CliContext["env"]): boolean {
  if (env["NO_COLOR"]) return false;
  if (env["FORCE_COLOR"] && env["FORCE_COLOR"] !== "0") return true;
  return interactive;
}
