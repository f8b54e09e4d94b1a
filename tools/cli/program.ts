import { ArgumentScannerError, buildApplication, type Command, type RouteMap, run, text_en } from "@stricli/core";
import { CodedError } from "../../core/base/index.ts";
import { type CliContext, makeContext } from "./context.ts";
import { exitCodeOf, FAULT_EXIT_CODE, showError, USAGE_EXIT_CODE } from "./errors.ts";
import { abortOnSignals } from "./interrupt.ts";
import { didYouMean } from "./text.ts";
import { showUsageError } from "./usage-errors.ts";

/** A program made of commands. */
export interface ProgramOptions {
  /** The name people type. */
  readonly name: string;
  readonly version: string;
  readonly routes: RouteMap<CliContext>;
  /** What helps who asks for a command that is not here. Default: how to see the commands. */
  readonly unknownHint?: string;
  /** The command line after the program's name. */
  readonly arguments: readonly string[];
}

/** Run a program in this process; the exit code is set when its work is done. */
export async function runProgram(options: ProgramOptions): Promise<void> {
  const context = makeContext(abortOnSignals());
  const look = { cwd: context.cwd, color: context.terminal.color };
  const shown = (error: unknown) => `${look.color ? "\x1b[0m" : ""}${showError(error, look)}`;
  // What escapes from a callback is told as every other error is.
  process.on("uncaughtException", (error) => {
    context.say(shown(error));
    process.exit(exitCodeOf(error));
  });
  const app = buildApplication<CliContext>(options.routes, {
    name: options.name,
    versionInfo: { currentVersion: options.version },
    scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
    documentation: { caseStyle: "convert-camel-to-kebab", useAliasInUsageLine: true, onlyRequiredInUsageLine: true },
    determineExitCode: exitCodeOf,
    localization: {
      text: {
        ...text_en,
        exceptionWhileParsingArguments: (error) =>
          error instanceof ArgumentScannerError
            ? `${look.color ? "\x1b[0m" : ""}${showUsageError(error, look, commandOf(options))}`
            : shown(error),
        exceptionWhileLoadingCommandFunction: shown,
        exceptionWhileRunningCommand: (error) => shown(context.signal.aborted ? context.signal.reason : error),
        commandErrorResult: shown,
        noCommandRegisteredForInput: ({ input, corrections }) => shown(unknownCommand(options, input, corrections)),
      },
    },
  });
  await run(app, joinPairs(splitGluedFlags(options.arguments)), context);
  process.exitCode = exitCode(context);
}

/** The command that a command line names. */
function commandOf({ routes, arguments: words }: ProgramOptions): Command<CliContext> | undefined {
  let found: RouteMap<CliContext> | Command<CliContext> | undefined = routes;
  for (const word of words)
    if (found !== undefined && "getAllEntries" in found) found = found.getRoutingTargetForInput(word);
  return found !== undefined && "usesFlag" in found ? found : undefined;
}

function unknownCommand(
  { name, unknownHint = `\`${name} --help\` lists the commands.` }: ProgramOptions,
  input: string,
  corrections: readonly string[],
): CodedError {
  const near = didYouMean(corrections.map((word) => word.replaceAll("`", "")));
  return new CodedError("cli.unknown-command", `Cannot run "${input}": there is no such command`, {
    hint: near ?? unknownHint,
  });
}

/** stricli's own negative codes become documented ones; an interrupted command ends with its signal's code. */
function exitCode(context: CliContext): number {
  const code = Number(context.process.exitCode ?? 0);
  if (context.signal.aborted && code !== 0) return exitCodeOf(context.signal.reason);
  if (code === -4 || code === -5) return USAGE_EXIT_CODE;
  return code < 0 ? FAULT_EXIT_CODE : code;
}

/** `--override-input a b`, a flag with two words, for a parser that knows flags with one: `--override-input a=b`. */
function joinPairs(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (word === "--") return [...joined, ...words.slice(i)];
    const [input, flake] = [words[i + 1], words[i + 2]];
    const isPair = word === "--override-input" && input !== undefined && flake !== undefined;
    if (isPair && !input.includes("=")) {
      joined.push(word, `${input}=${flake}`);
      i += 2;
    } else joined.push(word);
  }
  return joined;
}

/**
 * `-j4` and `-rsSh` as people write them, for a parser that knows `-j 4`, and `-h` for help alone; nothing after `--` is touched.
 */
function splitGluedFlags(words: readonly string[]): string[] {
  const end = words.indexOf("--");
  return words.flatMap((word, index) => {
    if (end !== -1 && index > end) return [word];
    if (/^-[a-zA-Z]+h$/.test(word)) return [word.slice(0, -1), "--human-readable"];
    const glued = /^(-[a-z])([0-9]+)$/i.exec(word);
    return glued?.[1] && glued[2] ? [glued[1], glued[2]] : [word];
  });
}
