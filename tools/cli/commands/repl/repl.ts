import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { dirname } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { locateOutput } from "../../../../core/flake/index.ts";
import { FLAKE_FILE_NAME } from "../../../../core/host/evaluator/index.ts";
import { hostPlatform } from "../../../../core/host/flake/index.ts";
import { writeFileAtomic } from "../../../../core/host/files/write.ts";
import type { CliContext } from "../../context.ts";
import { isCodedError, showError } from "../../errors.ts";
import type { BuildFlags } from "../../flags.ts";
import { LineQueue } from "../../line-queue.ts";
import { openStore } from "../../store.ts";
import { completionTarget, readInput } from "./read-input.ts";
import { Session } from "./session.ts";

const HELP = `EXPRESSION          print its value
const NAME = …      declare a name for the lines after it
:b EXPRESSION       build what it stands for
:t EXPRESSION       its type
:e PATH             open in $EDITOR where an output or an option of a system is defined: :e systems.web.config.services.nginx.enable
:r                  read the flake again
:q                  end
:?                  this list`;

const NAMES = [
  "outputs",
  "self",
  "inputs",
  "pkgs",
  "packages",
  "systems",
  "vmTests",
  "checks",
  "apps",
  "modules",
  "overlays",
];
const HISTORY_LINES = 1000;

/** `floe repl`: questions to a flake, line by line. */
export default async function repl(this: CliContext, flags: BuildFlags, reference: string): Promise<void> {
  using store = openStore(flags);
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const history = historyFile(this.env);
  const reader = createInterface({
    input: process.stdin,
    ...(terminal ? { output: process.stdout } : {}),
    terminal,
    history: readHistory(history),
    historySize: HISTORY_LINES,
    prompt: "floe> ",
    completer: (line: string, done: (error: null, found: [string[], string]) => void) =>
      void complete(session, line).then((found) => done(null, found)),
  });
  const lines = new LineQueue(reader);
  const session = new Session({ context: this, store, flags, reference, nextLine: (prompt) => lines.next(prompt) });
  await session.directory().catch((error: unknown) => {
    // What is open would keep the program from its end.
    reader.close();
    throw error;
  });
  reader.on("history", (lines: string[]) => writeHistory(history, lines));
  let pending = "";
  let asking = false;
  reader.on("SIGINT", () => {
    if (asking) session.interrupt();
    else this.say(pending === "" ? "(:q ends)" : "");
    pending = "";
    reader.setPrompt("floe> ");
    // What stands on the line is given up, wherever the cursor is in it.
    reader.write(null, { ctrl: true, name: "e" });
    reader.write(null, { ctrl: true, name: "u" });
    reader.prompt();
  });
  if (terminal) this.say("Questions to the flake; :? lists the commands.");
  for (;;) {
    const line = await lines.next(pending === "" ? "floe> " : "... ");
    if (line === undefined) break;
    pending = pending === "" ? line : `${pending}\n${line}`;
    const input = readInput(pending);
    if (input.kind !== "incomplete") {
      pending = "";
      if (input.kind === "command" && ["q", "quit"].includes(input.name)) break;
      asking = true;
      try {
        await answer(this, session, input);
      } catch (error) {
        if (!isCodedError(error) && (error as Error).message !== "interrupted") throw error;
        const options = { cwd: this.cwd, color: this.terminal.color };
        this.say(isCodedError(error) ? showError(error, options) : "interrupted");
      }
      asking = false;
    }
  }
  reader.close();
  if (pending !== "") this.say("The last lines were left out: a bracket in them is open.");
}

async function answer(context: CliContext, session: Session, input: ReturnType<typeof readInput>): Promise<void> {
  switch (input.kind) {
    case "expression":
      return context.print(await session.print(input.text));
    case "declaration":
      return session.declare(input.text);
    case "command":
      return command(context, session, input.name, input.rest);
    case "nothing":
    case "incomplete":
  }
}

async function command(context: CliContext, session: Session, name: string, rest: string): Promise<void> {
  switch (name) {
    case "?":
    case "help":
      return context.print(HELP);
    case "r":
    case "reload":
      session.reload();
      return context.say(`Read ${await session.directory()} again`);
    case "b":
      for (const path of await session.build(rest)) context.print(path);
      return;
    case "t":
      return context.print((await session.typeOf(rest)) ?? "unknown");
    case "e":
      return edit(context, await placeOf(session, rest));
    default:
      throw new CodedError("repl.unknown-command", `Cannot do ":${name}": there is no such command`, {
        hint: "Type :? for a list of them.",
      });
  }
}

interface Place {
  readonly file: string;
  readonly line: number;
}

/** Where an option got its value, or the flake writes an output. */
async function placeOf(session: Session, text: string): Promise<Place> {
  const [, system, path] = /^systems\.([\w-]+)\.config\.(.+)$/.exec(text) ?? [];
  if (system === undefined || path === undefined) {
    const file = `${await session.directory()}/${FLAKE_FILE_NAME}`;
    const names = text.replace(/^pkgs\b/, `packages.${hostPlatform()}`).match(/"[^"]*"|[\w$-]+/g) ?? [];
    const output = names.map((name) => name.replace(/^"(.*)"$/, "$1")).filter((name) => name !== "outputs");
    return { file, line: locateOutput(readFileSync(file, "utf8"), output)?.line ?? 1 };
  }
  const option = (await session.options(system)).find((each) => each.path === path);
  const defined = option?.definitions?.find(({ counts }) => counts)?.at;
  const at = (defined && option?.keyAt(defined, path)) ?? option?.declaredAt;
  if (option === undefined || at === undefined) {
    throw new CodedError("repl.no-place", `Cannot find the definition of "${path}": no module declares it`, {
      hint: `Look for it: floe option search --flake .#${system} WORDS`,
    });
  }
  return { file: option.onHost(at.file), line: at.line };
}

function edit(context: CliContext, { file, line }: Place): void {
  const { VISUAL, EDITOR = "vi" } = context.env;
  // Between lines the terminal gives single keys, which an editor that reads lines does not expect.
  const isRaw = process.stdin.isRaw === true;
  if (isRaw) process.stdin.setRawMode(false);
  // The line after a plus is what vi, emacs and nano understand; others open the file.
  const { error } = spawnSync("/bin/sh", ["-c", `${VISUAL ?? EDITOR} "$@"`, "sh", `+${line}`, file], {
    stdio: "inherit",
  });
  if (isRaw) process.stdin.setRawMode(true);
  if (error !== undefined) throw error;
}

async function complete(session: Session, line: string): Promise<[string[], string]> {
  const { of, begin } = completionTarget(line);
  try {
    const declared = session.declarations.flatMap((text) => /^\w+\s+([\w$]+)/.exec(text)?.[1] ?? []);
    const names = of === "" ? [...NAMES, ...declared] : await session.names(of);
    return [names.filter((name) => name.startsWith(begin) && /^[\w$]+$/.test(name)), begin];
  } catch {
    // What cannot be evaluated has no names.
    return [[], begin];
  }
}

function historyFile(env: CliContext["env"]): string | undefined {
  const state = env["XDG_STATE_HOME"] || (env["HOME"] ? `${env["HOME"]}/.local/state` : undefined);
  return state === undefined ? undefined : `${state}/floe/repl-history`;
}

function readHistory(file: string | undefined): string[] {
  if (file === undefined || !existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .slice(0, HISTORY_LINES);
}

/** A history that cannot be kept is no reason to end. */
function writeHistory(file: string | undefined, lines: readonly string[]): void {
  if (file === undefined) return;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileAtomic(file, `${lines.slice(0, HISTORY_LINES).join("\n")}\n`, { mode: 0o600 });
  } catch {
    return;
  }
}
