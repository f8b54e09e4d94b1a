import { closeSync, fstatSync, readSync, statSync, utimesSync } from "node:fs";
import { keepFile, linesOfSum, sumOf, withSum } from "../answers/kept-files.ts";
import type { Stays } from "./limits.ts";
import { Spares } from "./spares.ts";
import { type EvaluationProcess, type RunningEvaluation, spawnEvaluation, tryOpen } from "./spawn-evaluation.ts";

/** How many commands are known: those that evaluated last. */
const KEPT = 16;
/** Who evaluates again within this time edits and asks, and will again. */
const LATELY_MS = 10 * 60_000;

/** What the launcher, `tools/cli/floe`, tells. */
export interface Launch {
  /** Its name for the command. */
  readonly command?: string | undefined;
  /** Folder of a process that it has taken and asked. */
  readonly asked?: string | undefined;
}

/** The question, and words and modules as JSON. */
type Lines = readonly [question: string, words: string];

/** A process that was begun, with what it was asked. */
interface Begun {
  readonly child: RunningEvaluation;
  readonly process: EvaluationProcess;
  readonly lines: Lines;
}

/**
 * The evaluation that a command will most likely ask for, begun before the program is loaded: the same question to the same process as
 * when the command was given before, so that the process starts and loads the flake while the program is loaded and looks at the flake
 * and its lock. Where the command before has left a process that stands ready, that one is asked.
 *
 * Whoever needs an answer says what would be started and asked. Only a process that is exactly that is used, and any other ended;
 * so what was kept decides how fast an answer comes, and never what it says.
 *
 * A file of three lines: the question, which the process reads from it; words and modules as JSON; a sum of both. Its time is that at
 * which the command last evaluated.
 */
export class EarlyStart {
  readonly #folder: string;
  readonly #name: string;
  readonly #spares: Spares;
  readonly #launch: Launch;
  #begun: Begun | undefined;
  #kept: Lines | undefined;
  #leave: (() => void) | undefined;
  readonly #atExit = (): void => {
    this.end();
    this.leave();
  };

  /**
   * @param cache Folder for questions and for processes that stand ready; made when the first one is.
   * @param key The command, the place it is given in, and the program.
   */
  constructor(cache: string, key: string, launch: Launch = {}) {
    this.#folder = `${cache}/questions`;
    this.#name = sumOf(Buffer.from(key));
    this.#spares = new Spares(cache);
    this.#launch = launch;
  }

  /** Start the process, if the command is known. What cannot be started is no reason to fail. */
  begin(): RunningEvaluation | undefined {
    try {
      return this.#adopt() ?? this.#start();
    } catch {
      return undefined;
    }
  }

  /** The answer of the whole command is known: what the launcher asked goes on waiting. */
  free(): void {
    if (this.#launch.asked !== undefined) this.#spares.free(this.#launch.asked);
  }

  /**
   * A process that was asked this: the one that was begun, if it is this one and was asked this question, else one that stands ready.
   * What one says that has ended already goes by unheard.
   */
  take(asked: EvaluationProcess, question: string): RunningEvaluation | undefined {
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun !== undefined && !begun.child.hasEnded() && isSame(begun.lines, linesOf(asked, question))) {
      begun.child.hold(true);
      return begun.child;
    }
    begun?.child.kill();
    return this.#askSpare(asked, question);
  }

  /** No answer is needed: it was known, or the command failed. @param stays As of {@link keep}, for one that stood ready. */
  end(stays?: Stays): void {
    const begun = this.#begun;
    this.#begun = undefined;
    begun?.child.kill();
    if (begun?.child.isSpare === true && stays !== undefined)
      this.#leaveLater(begun.process, this.#staysSeconds(stays));
  }

  /**
   * Begin with this the next time. What cannot be kept is no reason to fail.
   *
   * @param stays How long a process for it stands ready once this program has ended.
   */
  keep(asked: EvaluationProcess, question: string, stays: Stays): void {
    const lines = linesOf(asked, question);
    const seconds = this.#staysSeconds(stays);
    if (!isSame(lines, this.#kept) || !this.#touch())
      keepFile(this.#folder, this.#name, { text: withSum(lines), kept: KEPT });
    this.#kept = lines;
    this.#leaveLater(asked, seconds);
  }

  /** Leave a process for the next command, if there is to be one; done at the end of this program. */
  leave(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    process.off("exit", this.#atExit);
    leave?.();
  }

  get #file(): string {
    return `${this.#folder}/${this.#name}`;
  }

  /** By whether the command has evaluated lately, which the time of its file tells. */
  #staysSeconds({ first, again }: Stays): number {
    try {
      return Math.abs(Date.now() - statSync(this.#file).mtimeMs) < LATELY_MS ? again : first;
    } catch {
      return first;
    }
  }

  /** What is kept was asked once more. @returns whether it is still there. */
  #touch(): boolean {
    try {
      utimesSync(this.#file, new Date(), new Date());
      return true;
    } catch {
      return false;
    }
  }

  /** What the launcher has asked. */
  #adopt(): RunningEvaluation | undefined {
    const launched = this.#launch.asked === undefined ? undefined : this.#spares.adopt(this.#launch.asked);
    if (launched === undefined) return undefined;
    const { child, prepared } = launched;
    const begun = this.#begin(prepared, (_, question) => asked(child, question));
    if (begun === undefined) child.kill();
    return begun;
  }

  #start(): RunningEvaluation | undefined {
    const descriptor = tryOpen(this.#file);
    if (descriptor === undefined) return undefined;
    try {
      return this.#begin(
        readOwn(descriptor),
        (process, question) => this.#askSpare(process, question) ?? spawnEvaluation(process, descriptor),
      );
    } finally {
      closeSync(descriptor);
    }
  }

  #begin(
    bytes: Buffer,
    ask: (process: EvaluationProcess, question: string) => RunningEvaluation,
  ): RunningEvaluation | undefined {
    const [question, words] = linesOfSum(bytes) ?? [];
    if (question === undefined || words === undefined) return undefined;
    const process = JSON.parse(words) as EvaluationProcess;
    const child = ask(process, question);
    child.onFailure(() => {});
    child.hold(false);
    const lines: Lines = [question, words];
    this.#kept = lines;
    this.#begun = { child, process, lines };
    this.#awaitExit();
    return child;
  }

  #askSpare(process: EvaluationProcess, question: string): RunningEvaluation | undefined {
    const spare = this.#spares.claim(process);
    return spare === undefined ? undefined : asked(spare, question);
  }

  #leaveLater(asked: EvaluationProcess, seconds: number): void {
    if (seconds <= 0) return;
    const { command } = this.#launch;
    this.#leave = () => this.#spares.leave(asked, { question: this.#file, seconds, command });
    this.#awaitExit();
  }

  #awaitExit(): void {
    process.off("exit", this.#atExit);
    process.once("exit", this.#atExit);
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

/** One that has ended meanwhile says nothing, and somebody else is asked. */
function asked(spare: RunningEvaluation, question: string): RunningEvaluation {
  spare.input?.on("error", () => {}).end(`${question}\n`);
  return spare;
}

function linesOf(asked: EvaluationProcess, question: string): Lines {
  return [question, JSON.stringify(asked)];
}

function isSame([question, words]: Lines, other: Lines | undefined): boolean {
  return question === other?.[0] && words === other[1];
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
