import type { ChildProcess } from "node:child_process";
import { closeSync, fstatSync, readSync } from "node:fs";
import type { Socket } from "node:net";
import { keepFile, linesOfSum, sumOf, userCacheFolder, withSum } from "../answers/kept-files.ts";
import { type EvaluationProcess, killEvaluation, spawnEvaluation, tryOpen } from "./spawn-evaluation.ts";

/** How many commands are known: those whose question changed last. */
const KEPT = 16;

/** A process that was begun, with what it was asked. */
interface Begun {
  readonly child: ChildProcess;
  readonly text: string;
}

/**
 * The evaluation that a command will most likely ask for, begun before the program is loaded: the same question to the same process as
 * when the command was given before, so that the process starts and loads the flake while the program is loaded and looks at the flake
 * and its lock.
 *
 * Whoever needs an answer says what would be started and asked. Only a process that is exactly that is used, and any other ended;
 * so what was kept decides how fast an answer comes, and never what it says.
 *
 * A file of three lines: the question, which the process reads from it; words and modules as JSON; a sum of both.
 */
export class EarlyStart {
  readonly #folder: string;
  readonly #name: string;
  #begun: Begun | undefined;
  #kept: string | undefined;

  /**
   * @param folder Where questions are kept; made when the first one is.
   * @param key The command, the place it is given in, and the program.
   */
  constructor(folder: string, key: string) {
    this.#folder = folder;
    this.#name = sumOf(Buffer.from(key));
  }

  /** Start the process, if the command is known. What cannot be started is no reason to fail. */
  begin(): ChildProcess | undefined {
    const descriptor = tryOpen(`${this.#folder}/${this.#name}`);
    if (descriptor === undefined) return undefined;
    try {
      const bytes = readOwn(descriptor);
      const [question, process_] = linesOfSum(bytes) ?? [];
      if (question === undefined || process_ === undefined) return undefined;
      const child = spawnEvaluation(JSON.parse(process_) as EvaluationProcess, descriptor);
      child.on("error", () => {});
      hold(child, false);
      const text = bytes.toString("utf8");
      this.#kept = text;
      this.#begun = { child, text };
      process.once("exit", () => this.end());
      return child;
    } catch {
      return undefined;
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * The process that was begun, if it is this one and was asked this question; it is given once. What one says that has ended already
   * goes by unheard.
   */
  take(asked: EvaluationProcess, question: string): ChildProcess | undefined {
    const begun = this.#begun;
    if (begun === undefined) return undefined;
    const { exitCode, signalCode } = begun.child;
    if (exitCode !== null || signalCode !== null || begun.text !== textOf(asked, question)) return this.end();
    this.#begun = undefined;
    hold(begun.child, true);
    return begun.child;
  }

  /** No answer is needed: it was known, or the command failed. */
  end(): undefined {
    if (this.#begun !== undefined) killEvaluation(this.#begun.child);
    this.#begun = undefined;
  }

  /** Begin with this the next time. What cannot be kept is no reason to fail. */
  keep(asked: EvaluationProcess, question: string): void {
    const text = textOf(asked, question);
    if (text === this.#kept) return;
    this.#kept = text;
    keepFile(this.#folder, this.#name, { text, kept: KEPT });
  }
}

/**
 * What a file holds, with the descriptor left at its beginning: another command may put a new file in its place meanwhile, and the
 * question that is read here has to be the one that the process reads.
 *
 * @throws {Error} of a file of somebody else: its words would be run.
 */
function readOwn(descriptor: number): Buffer {
  const { uid, size } = fstatSync(descriptor);
  if (uid !== process.geteuid?.()) throw new Error("It belongs to another user");
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const read = readSync(descriptor, bytes, at, size - at, at);
    if (read === 0) break;
    at += read;
  }
  return bytes;
}

/** Whether this process waits for the other. */
function hold(child: ChildProcess, waits: boolean): void {
  for (const each of [child, child.stdout as Socket | null, child.stderr as Socket | null]) {
    if (waits) each?.ref();
    else each?.unref();
  }
}

function textOf(asked: EvaluationProcess, question: string): string {
  return withSum([question, JSON.stringify(asked)]);
}

let offered: EarlyStart | undefined;

/** What was begun for this command; the first evaluation takes it. */
export function offerEarlyStart(early: EarlyStart | undefined): void {
  offered = early;
}

export function takeEarlyStart(): EarlyStart | undefined {
  const early = offered;
  offered = undefined;
  return early;
}

/** The folder for questions of this user. */
export function defaultEarlyStartFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const cache = userCacheFolder(env);
  return cache === undefined ? undefined : `${cache}/questions`;
}
