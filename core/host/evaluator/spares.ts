import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import type { Socket } from "node:net";
import { sumOf } from "../answers/kept-files.ts";
import { availableMiB } from "./available-memory.ts";
import { SPARE_ARGUMENT, UNCHANGED_MARK } from "./protocol.ts";
import { type EvaluationProcess, type RunningEvaluation, tryOpen } from "./spawn-evaluation.ts";

/** How many there may be for a user. */
const KEPT = 2;
/** What has to be at hand of memory for one more; it needs about a sixth of this. */
const MIN_AVAILABLE_MIB = 1024;
/** A folder without a process is one that is just being made, until it is as old as this. */
const MAKING_MS = 10_000;
/** Pipes are opened without waiting for who is at the other end. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
/** Whoever makes this file in its folder has the process. */
const TAKEN = "taken";
/** What is said by the leash: that whoever holds it is the end of the process, or no longer. */
const MINE = "mine\n";
const FREE = "free\n";
/** What was opened by the launcher, `tools/cli/floe`, which has taken a process: that may have answered by now, and its folder be gone. */
const LAUNCHED = { question: 5, input: 6, leash: 7, output: 8, errors: 9 } as const;

/**
 * The parent of a process that stands ready, which dies with it. `$0` is the folder to make, less its own number; the other words start
 * the process.
 *
 * Whoever opens the pipe `leash` for writing holds the end of all of it: it comes when the last one of them closes it, or dies, unless
 * the last word by it was `free`.
 */
const KEEPER = `umask 077
mkdir "$0.$$" && cd "$0.$$" && cat >question && mkfifo leash out err in || exit
exec <question 1<>out 2<>err 4<>in 5</proc/meminfo
echo 500 >/proc/self/oom_score_adj
{
  while last=; while read -r word; do last=$word; done <leash; [ "$last" = free ]; do :; done
  kill -KILL 0
} &
"$@"
rm -f in out err leash question ${TAKEN}
rmdir "$(pwd -P)"
kill -KILL 0`;

export interface LeaveOptions {
  /** File whose first line is the question to prepare for. */
  readonly question: string;
  /** The command that is most likely given next, as the launcher names it. */
  readonly command?: string | undefined;
  /** How long it waits to be asked. */
  readonly seconds: number;
}

/** A process that the launcher has taken, and asked by an empty line. */
export interface LaunchedSpare {
  readonly child: RunningEvaluation;
  /** What was in the file that it was prepared from. */
  readonly prepared: Buffer;
}

/**
 * Processes that stand ready for the next question, with all done that can be done before there is one. Each is reached through a folder
 * with pipes, and whoever can make a file there has it for itself. A link with the name of a command leads the launcher to the folder.
 */
export class Spares {
  readonly #folder: string;
  readonly #links: string;

  /** @param cache Their folders and the links to them lie in folders of it, which are made with the first one. */
  constructor(cache: string) {
    this.#folder = `${cache}/spares`;
    this.#links = `${cache}/ready`;
  }

  /** One that was started with these words; it is given once. */
  claim(asked: EvaluationProcess): RunningEvaluation | undefined {
    const prefix = `${nameOf(asked)}.`;
    for (const name of this.#names()) {
      const spare = name.startsWith(prefix) ? this.#claim(name) : undefined;
      if (spare !== undefined) return new ClaimedSpare(spare);
    }
    return undefined;
  }

  /** End every one of them that nobody asks, and clear away what is left of others. */
  end(names: readonly string[] = this.#names()): void {
    for (const name of names) {
      const spare = this.#claim(name);
      if (spare !== undefined) new ClaimedSpare(spare).kill();
    }
  }

  /** Start one for the next command, unless there is one, or the machine is short of memory. What cannot be started is no reason to fail. */
  leave(asked: EvaluationProcess, { question, seconds, command }: LeaveOptions): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const name = nameOf(asked);
      const living = this.#sweep();
      if (
        living.some((other) => other.startsWith(`${name}.`)) ||
        availableMiB(readFileSync("/proc/meminfo", "utf8")) < MIN_AVAILABLE_MIB
      )
        return;
      const [flake] = name.split("-");
      const ofFlake = living.filter((other) => other.startsWith(`${flake}-`));
      const others = living.filter((other) => !ofFlake.includes(other));
      this.end([...ofFlake, ...others.slice(0, Math.max(0, others.length - KEPT + 1))]);
      const folder = start(`${this.#folder}/${name}`, asked, { question, seconds });
      if (command !== undefined && folder !== undefined) this.#link(command, folder);
    } catch {
      return;
    }
  }

  /** The process whose folder the launcher tells, and which it has taken; `undefined` where it has not. */
  adopt(path: string): LaunchedSpare | undefined {
    if (!isLaunched()) return undefined;
    const { question, leash, input, output, errors } = LAUNCHED;
    const child = new ClaimedSpare({
      folder: whereIs(path),
      leash,
      input: openAgain(input, WRITE),
      output: openAgain(output, READ),
      errors: openAgain(errors, READ),
    });
    // As long as these are open, none of its pipes ends.
    for (const descriptor of [input, output, errors]) closeSync(descriptor);
    return { child, prepared: readFileSync(question) };
  }

  /** Let one go that the launcher has taken: it waits for somebody else, if it has done nothing yet, and ends if it has. */
  free(path: string): void {
    if (!isLaunched()) return;
    const errors = openAgain(LAUNCHED.errors, READ);
    const said = Buffer.alloc(64);
    try {
      if (said.toString("latin1", 0, readSync(errors, said)) !== `${UNCHANGED_MARK}\n`) return;
      writeSync(LAUNCHED.leash, FREE);
      rmSync(`${whereIs(path)}/${TAKEN}`);
    } catch {
      // It has said nothing yet.
    } finally {
      closeSync(errors);
    }
  }

  /** The names of folders with a process that nobody asks, or that is being made, the oldest first; folders without one are removed. */
  #sweep(): string[] {
    const living: { readonly name: string; readonly bornMs: number }[] = [];
    for (const name of this.#names()) {
      const path = `${this.#folder}/${name}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      // The process reads it itself. Of the leash, closing it again would be the end.
      const input = tryOpen(`${path}/in`, WRITE);
      const lives = input !== undefined && fstatSync(input).isFIFO();
      if (input !== undefined) closeSync(input);
      const isYoung = stat.ctimeMs >= Date.now() - MAKING_MS;
      if (!lives && !isYoung) rmSync(path, { recursive: true, force: true });
      const isBeingMade = isYoung && !existsSync(`${path}/in`);
      if ((lives || isBeingMade) && !existsSync(`${path}/${TAKEN}`)) living.push({ name, bornMs: stat.ctimeMs });
    }
    return living.sort((a, b) => a.bornMs - b.bornMs).map(({ name }) => name);
  }

  #claim(name: string): Claimed | undefined {
    const folder = `${this.#folder}/${name}`;
    // What somebody else put there would answer as it likes.
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat?.uid !== process.geteuid?.() || stat?.isDirectory() !== true || existsSync(`${folder}/${TAKEN}`))
      return undefined;
    const leash = tryOpen(`${folder}/leash`, WRITE);
    if (leash === undefined) return undefined;
    try {
      closeSync(openSync(`${folder}/${TAKEN}`, "wx", 0o600));
      writeSync(leash, MINE);
      return { folder, leash, ...openPipes(folder) };
    } catch {
      // Another one was sooner, or it has ended.
      closeSync(leash);
      return undefined;
    }
  }

  /** Let the launcher find the process by the command; one that is too long for a name goes without. */
  #link(command: string, folder: string): void {
    if (command.includes("/")) return;
    mkdirSync(this.#links, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#links)) {
      const link = `${this.#links}/${name}`;
      if (name === command || !existsSync(link)) rmSync(link, { force: true });
    }
    symlinkSync(folder, `${this.#links}/${command}`);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }
}

/** A folder of a process that is ours, and open descriptors of its pipes. */
interface Claimed {
  readonly folder: string;
  readonly leash: number;
  readonly input: number;
  readonly output: number;
  readonly errors: number;
}

class ClaimedSpare implements RunningEvaluation {
  readonly isSpare = true;
  readonly input: Socket;
  readonly output: Socket;
  readonly errors: Socket;
  readonly #folder: string;
  #leash: number | undefined;
  #open = 2;

  constructor({ folder, leash, input, output, errors }: Claimed) {
    const { Socket } = process.getBuiltinModule("node:net");
    this.#folder = folder;
    this.#leash = leash;
    this.input = new Socket({ fd: input, readable: false, writable: true });
    this.output = new Socket({ fd: output, readable: true, writable: false });
    this.errors = new Socket({ fd: errors, readable: true, writable: false });
    for (const each of [this.output, this.errors]) each.once("close", () => this.#open--);
  }

  onFailure(): void {
    // It has started long ago.
  }

  onEnd(listener: (status: null, signal: null) => void): void {
    for (const each of [this.output, this.errors])
      each.once("close", () => {
        if (this.hasEnded()) listener(null, null);
      });
  }

  hasEnded(): boolean {
    return this.#open === 0;
  }

  hold(waits: boolean): void {
    for (const each of [this.input, this.output, this.errors]) {
      if (waits) each.ref();
      else each.unref();
    }
  }

  kill(): void {
    if (this.#leash === undefined) return;
    closeSync(this.#leash);
    this.#leash = undefined;
    for (const each of [this.input, this.output, this.errors]) each.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether what the launcher should have opened is that. */
function isLaunched(): boolean {
  const { question, ...pipes } = LAUNCHED;
  const isOurs = (descriptor: number, isPipe: boolean): boolean => {
    const stat = fstatSync(descriptor);
    return stat.uid === process.geteuid?.() && stat.isFIFO() === isPipe;
  };
  try {
    return isOurs(question, false) && Object.values(pipes).every((pipe) => isOurs(pipe, true));
  } catch {
    return false;
  }
}

function openAgain(descriptor: number, flags: number): number {
  return openSync(`/proc/self/fd/${descriptor}`, flags);
}

/** Where the link of a command leads, by which another process may be found soon. */
function whereIs(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function openPipes(folder: string): Pick<Claimed, "input" | "output" | "errors"> {
  const opened: number[] = [];
  try {
    for (const [pipe, flags] of [
      ["in", WRITE],
      ["out", READ],
      ["err", READ],
    ] as const)
      opened.push(openSync(`${folder}/${pipe}`, flags));
  } catch (error) {
    for (const descriptor of opened) closeSync(descriptor);
    throw error;
  }
  const [input, output, errors] = opened as [number, number, number];
  return { input, output, errors };
}

/** @returns its folder, which it makes by itself. */
function start(
  folder: string,
  { words, modules }: EvaluationProcess,
  { question, seconds }: LeaveOptions,
): string | undefined {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const known = modules === undefined ? undefined : tryOpen(modules);
  const asked = openSync(question, "r");
  try {
    const child = spawn("/bin/sh", ["-c", KEEPER, folder, ...words, `${SPARE_ARGUMENT}${seconds}`], {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", TZ: "UTC" },
      // Nothing of ours: who waits for the end of what we print must not wait for it.
      stdio: [asked, "ignore", "ignore", known ?? "ignore"],
      cwd: "/",
      detached: true,
    });
    child.on("error", () => {});
    child.unref();
    return child.pid === undefined ? undefined : `${folder}.${child.pid}`;
  } finally {
    closeSync(asked);
    if (known !== undefined) closeSync(known);
  }
}

/** Beginning with what tells its flake, and then what process it is. */
function nameOf({ flake, words }: EvaluationProcess): string {
  return [flake, JSON.stringify([process.version, words])].map((text) => sumOf(Buffer.from(text))).join("-");
}
