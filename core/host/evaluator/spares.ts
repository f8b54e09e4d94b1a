import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import type { Socket } from "node:net";
import { sumOf } from "../answers/kept-files.ts";
import { availableMiB } from "./available-memory.ts";
import { SPARE_ARGUMENT } from "./protocol.ts";
import { type EvaluationProcess, type RunningEvaluation, tryOpen } from "./spawn-evaluation.ts";

/** How many there may be for a user. */
const KEPT = 2;
/** What has to be at hand of memory for one more; it needs about a fifth of this. */
const MIN_AVAILABLE_MIB = 1024;
/** A folder without a process is one that is just being made, until it is as old as this. */
const MAKING_MS = 10_000;
/** Pipes are opened without waiting for who is at the other end. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
/** End of the name of a folder whose process somebody asks. */
const CLAIMED = ".claimed";

/**
 * The parent of a process that stands ready, which dies with it. `$0` is the folder to make, less its own number; the other words start
 * the process.
 *
 * Whoever opens the pipe `leash` for writing holds the end of all of it: it comes when the last one of them closes it, or dies.
 */
const KEEPER = `umask 077
mkdir "$0.$$" && cd "$0.$$" && mkfifo in out err leash || exit
exec 1<>out 2<>err 4<>in 5</proc/meminfo
echo 500 >/proc/self/oom_score_adj
{ read -r _ <leash; kill -KILL 0; } &
"$@"
rm -f in out err leash
rmdir "$(pwd -P)"
kill -KILL 0`;

export interface LeaveOptions {
  /** File whose first line is the question to prepare for. */
  readonly question: string;
  /** How long it waits to be asked. */
  readonly seconds: number;
}

/**
 * Processes that stand ready for the next question, with all done that can be done before there is one. Each is reached through a folder
 * with pipes, and whoever can rename that has it for itself.
 */
export class Spares {
  readonly #folder: string;

  /** @param folder Where their folders are; made with the first one. */
  constructor(folder: string) {
    this.#folder = folder;
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
  leave(asked: EvaluationProcess, { question, seconds }: LeaveOptions): void {
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
      start(`${this.#folder}/${name}`, asked, { question, seconds });
    } catch {
      return;
    }
  }

  /** The names of folders with a process that nobody asks, the oldest first; folders without one are removed. */
  #sweep(): string[] {
    const living: { readonly name: string; readonly bornMs: number }[] = [];
    for (const name of this.#names()) {
      const path = `${this.#folder}/${name}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      // The process reads it itself. Of the leash, closing it again would be the end.
      const input = tryOpen(`${path}/in`, WRITE);
      if (input !== undefined) closeSync(input);
      else if (stat.ctimeMs < Date.now() - MAKING_MS) rmSync(path, { recursive: true, force: true });
      if (input !== undefined && !name.endsWith(CLAIMED)) living.push({ name, bornMs: stat.ctimeMs });
    }
    return living.sort((a, b) => a.bornMs - b.bornMs).map(({ name }) => name);
  }

  #claim(name: string): Claimed | undefined {
    const path = `${this.#folder}/${name}`;
    // What somebody else put there would answer as it likes.
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (name.endsWith(CLAIMED) || stat?.uid !== process.geteuid?.() || stat?.isDirectory() !== true) return undefined;
    const first = tryOpen(`${path}/leash`, WRITE);
    if (first === undefined) return undefined;
    const opened = [first];
    const open = (pipe: string, flags: number): number => {
      const descriptor = openSync(`${path}${CLAIMED}/${pipe}`, flags);
      opened.push(descriptor);
      return descriptor;
    };
    try {
      renameSync(path, `${path}${CLAIMED}`);
      // By now the name may have become that of another one.
      const leash = open("leash", WRITE);
      const [input, output, errors] = [open("in", WRITE), open("out", READ), open("err", READ)];
      closeSync(first);
      return { folder: `${path}${CLAIMED}`, leash, input, output, errors };
    } catch {
      // Another one was sooner, or it has ended.
      for (const descriptor of opened) closeSync(descriptor);
      return undefined;
    }
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

function start(folder: string, { words, modules }: EvaluationProcess, { question, seconds }: LeaveOptions): void {
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
  } finally {
    closeSync(asked);
    if (known !== undefined) closeSync(known);
  }
}

/** Beginning with what tells its flake, and then what process it is. */
function nameOf({ flake, words }: EvaluationProcess): string {
  return [flake, JSON.stringify([process.version, words])].map((text) => sumOf(Buffer.from(text))).join("-");
}
