import { type REPLServer, start } from "node:repl";
import { CodedError } from "../../../../../core/base/index.ts";
import type { GuestMachine, Script, StoryControl } from "../../../../../vm-tests/driver/index.ts";
import type { Console } from "./console.ts";

export interface OpenReplOptions {
  readonly console: Console;
  readonly control: StoryControl;
  readonly machines: Readonly<Record<string, GuestMachine>>;
  /** What a story is given. */
  readonly tools: Parameters<Script>[0];
  /** Begin the story. */
  readonly begin: () => void;
  readonly signal: AbortSignal;
}

/** A command of the prompt. */
interface PromptCommand {
  readonly help: string;
  readonly action: (words: readonly string[]) => Promise<void> | void;
}

/** A prompt for JavaScript, with what a story is given in scope; settles when it is left. */
export async function openRepl(options: OpenReplOptions): Promise<void> {
  const { console, control, tools, machines, signal } = options;
  const names = Object.keys(machines);
  console.say(`in scope: ${Object.keys(tools).join(", ")}; machines: ${names.join(", ")}. .help lists the commands.`);
  const repl = start({
    prompt: "> ",
    input: console.input,
    output: process.stdout,
    terminal: console.isTerminal,
    useGlobal: false,
    breakEvalOnSigint: false,
  });
  Object.assign(repl.context, tools, { control });
  for (const [name, { help, action }] of Object.entries(commands(options))) {
    repl.defineCommand(name, {
      help,
      action(text) {
        void runCommand(repl, options, () => action(text.split(/\s+/).filter((word) => word !== "")));
      },
    });
  }
  console.onSay(() => {
    if (!console.input.readableEnded) repl.displayPrompt(true);
  });
  const abort = (): void => repl.close();
  signal.addEventListener("abort", abort, { once: true });
  await new Promise<void>((resolve) => repl.on("exit", resolve));
  signal.removeEventListener("abort", abort);
}

async function runCommand(
  repl: REPLServer,
  { console, signal }: OpenReplOptions,
  action: () => Promise<void> | void,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    const { message, code, hint } = error as CodedError;
    console.say(
      `error: ${message}${code === undefined ? "" : ` [${code}]`}${hint === undefined ? "" : `\n  hint: ${hint}`}`,
    );
  }
  // It may have been left meanwhile.
  if (!signal.aborted && !console.input.readableEnded) repl.displayPrompt();
}

function commands({ console, control, machines, begin }: OpenReplOptions): Record<string, PromptCommand> {
  const machineOf = (name: string | undefined): GuestMachine => {
    const names = Object.keys(machines);
    const found = name === undefined && names.length === 1 ? machines[names[0] ?? ""] : machines[name ?? ""];
    if (found !== undefined) return found;
    const what = name === undefined ? "no machine is named" : `there is no machine "${name}"`;
    throw new CodedError("vm-test.no-machine", `Cannot do that: ${what}`, { hint: `There are: ${names.join(", ")}` });
  };
  const goOn = async (next: boolean): Promise<void> => {
    if (control.state.kind === "waiting") {
      if (next) control.stopAtOnce();
      begin();
    } else if (!control.go({ next })) console.say(`the story ${control.state.kind === "running" ? "runs" : "is over"}`);
    await control.settled();
  };
  return {
    story: { help: "Begin the story", action: () => goOn(false) },
    next: { help: "Go to the next step of the story, and stop before it", action: () => goOn(true) },
    continue: { help: "Go on with the story up to the next stop", action: () => goOn(false) },
    stops: {
      help: "Stop before the steps of this name (* and ? stand for any characters), or list such names",
      action: (words) => {
        if (words.length > 0) control.breakAt(words.join(" "));
        for (const { name, met } of control.stops) console.say(`${met ? "met" : "not met yet"}: ${name}`);
      },
    },
    console: {
      help: "Sit at the serial console of a machine; Ctrl-] leaves it",
      async action([name]) {
        const machine = machineOf(name);
        console.write(Buffer.from(machine.consoleText().split("\n").slice(-SHOWN_LINES).join("\r\n")));
        const opened = machine.openConsole((data) => console.write(data));
        const ended = new Promise((resolve) => opened.ended.addEventListener("abort", resolve, { once: true }));
        await console.attach({ write: (data) => opened.write(data), ended }).finally(() => opened.close());
      },
    },
    terminal: {
      help: "A shell on a machine, perhaps as a user: .terminal MACHINE USER; Ctrl-] leaves it",
      async action([name, user]) {
        const machine = user === undefined ? machineOf(name) : (machineOf(name).as(user) as GuestMachine);
        const shell = machine.openTerminal(["bash", "-l"], console.size, (data) => console.write(data));
        await console.attach({ write: (data) => shell.write(data), resize: shell.resize, ended: shell.result });
        shell.kill();
      },
    },
    forward: {
      help: "Let programs of this host connect to a port of a machine, ssh to 22 for instance: .forward MACHINE PORT",
      async action(words) {
        const port = Number(words.at(-1));
        if (!Number.isInteger(port) || port < 1 || port > 65_535)
          throw new CodedError(
            "vm-test.bad-port",
            `Cannot forward "${words.join(" ")}": expected a machine and a port`,
          );
        const forwarded = await machineOf(words.length > 1 ? words[0] : undefined).forwardPort(port);
        console.say(`${forwarded.host}:${forwarded.port} is its port ${port}`);
      },
    },
    pause: { help: "Let the processors of a machine stand still", action: ([name]) => machineOf(name).pause() },
    resume: { help: "Let them go on", action: ([name]) => machineOf(name).resume() },
  };
}

/** Lines of a console that who sits down at it sees first. */
const SHOWN_LINES = 20;
