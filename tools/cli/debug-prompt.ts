import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { CodedError, formatLocation } from "../../core/base/index.ts";
import type { DebugStop, EvaluationDebugger, HowToGoOn } from "../../core/host/evaluator/index.ts";
import type { CliContext } from "./context.ts";
import { LineQueue } from "./line-queue.ts";

export interface DebugFlags {
  readonly debugger?: boolean;
  readonly debuggerOnWarn?: boolean;
  readonly break?: readonly string[];
}

/** Lines of who sits at the keyboard; `undefined` when no more come. */
export type NextLine = (prompt: string) => Promise<string | undefined>;

const HELP = `:bt            calls that led here; :st N chooses one
:env           variables that the chosen call sees
:s             go on to the next step, into calls
:n             go on to the next line
:o             go on until the caller goes on
:c             go on to the next stop
:b FILE:LINE   stop there, too
:q             end the evaluation
EXPRESSION     its value (JavaScript), with the variables of the chosen call
:?             this list`;

const STEPS: Readonly<Record<string, HowToGoOn>> = { s: "into", n: "over", o: "out", c: "continue", q: "quit" };

const REASONS: Readonly<Record<DebugStop["reason"], string>> = {
  error: "stopped at an error",
  warning: "stopped at a warning",
  breakpoint: "stopped at a break point",
  statement: "stopped at debugger",
  step: "stepped",
};

/** The debugger that flags ask for; `undefined` without them. */
export function makeDebugger(
  context: CliContext,
  flags: DebugFlags,
  nextLine?: NextLine,
): (EvaluationDebugger & Disposable) | undefined {
  const { debuggerOnWarn = false, break: places = [] } = flags;
  if (flags.debugger !== true && !debuggerOnWarn && places.length === 0) return undefined;
  const closing: (() => void)[] = [];
  const ask = nextLine ?? openLines(context, closing);
  return {
    [Symbol.dispose]: () => closing.forEach((close) => close()),
    breaks: places.map((place) => parsePlace(place, context.cwd)),
    onWarn: debuggerOnWarn,
    stopped: (stop) => talk(context, stop, ask),
  };
}

async function talk(context: CliContext, stop: DebugStop, nextLine: NextLine): Promise<HowToGoOn> {
  let chosen = 0;
  const where = (frame: number): string => {
    const { name, at } = stop.frames[frame] as DebugStop["frames"][number];
    return `${name || "(anonymous)"} at ${formatLocation(at)}`;
  };
  context.say(`${REASONS[stop.reason]}: ${where(0)}${stop.text === undefined ? "" : `\n${stop.text}`}`);
  for (;;) {
    const line = await nextLine("debug> ");
    // Nobody says any more where to stop.
    if (line === undefined) return "continue";
    const [, word, rest = ""] = /^\s*:(\S+)\s*(.*)$/.exec(line) ?? [];
    const step = word === undefined ? undefined : STEPS[word];
    if (step !== undefined) return step;
    switch (word) {
      case undefined: {
        if (line.trim() === "") break;
        const { text, failed } = await stop.evaluate(chosen, line);
        if (failed) context.say(text);
        else context.print(text);
        break;
      }
      case "bt":
        stop.frames.forEach((_, i) =>
          context.print(`${i === chosen ? "*" : " "}${String(i).padStart(3)}  ${where(i)}`),
        );
        break;
      case "st":
        if (stop.frames[Number(rest)] === undefined)
          context.say(`There are calls 0 to ${stop.frames.length - 1}; see :bt`);
        else chosen = Number(rest);
        context.print(where(chosen));
        break;
      case "env":
        for (const { type, name, variables } of await stop.scopes(chosen)) {
          context.print(`${type}${name === "" ? "" : ` ${name}`}:`);
          for (const { name, value } of variables) context.print(`  ${name} = ${value}`);
        }
        break;
      case "b":
        await breakAt(context, stop, rest);
        break;
      default:
        context.print(HELP);
    }
  }
}

async function breakAt(context: CliContext, stop: DebugStop, text: string): Promise<void> {
  try {
    const { file, line } = parsePlace(text, context.cwd);
    context.say((await stop.breakAt(file, line)) ? `Stops at ${file}:${line}` : `No source has the file ${file}`);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    context.say(error.message);
  }
}

/** @throws {CodedError} `cli.bad-place` */
function parsePlace(text: string, cwd: string): { file: string; line: number } {
  const [, file, line] = /^(.+?):([1-9][0-9]*)(?::[0-9]+)?$/.exec(text.trim()) ?? [];
  if (file !== undefined && line !== undefined) return { file: resolve(cwd, file), line: Number(line) };
  throw new CodedError("cli.bad-place", `Cannot stop at "${text}": expected a file and a line`, {
    hint: "Write: --break flake.config.ts:12",
  });
}

/** Lines of the standard input, which is opened at the first stop and closed with the command. */
function openLines(context: CliContext, closing: (() => void)[]): NextLine {
  let lines: LineQueue | undefined;
  return (prompt) => {
    if (lines === undefined) {
      const { stdin, stderr } = process;
      const isTerminal = stdin.isTTY === true && context.terminal.interactive;
      const reader = createInterface({ input: stdin, ...(isTerminal ? { output: stderr } : {}), terminal: isTerminal });
      // Ctrl-C ends the command; the reader by itself would only close, and the evaluation go on.
      reader.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
      lines = new LineQueue(reader);
      closing.push(() => reader.close());
    }
    return lines.next(prompt);
  };
}
