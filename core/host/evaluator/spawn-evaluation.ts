import type { ChildProcess } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";

/** A process to ask: the words that start it, and what it gets besides the question. */
export interface EvaluationProcess {
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** File of modules without their types, which need not be there; absent: none. */
  readonly modules?: string | undefined;
  /** The flake that is asked: its file on this machine. */
  readonly flake: string;
}

/** A process that answers one question. */
export interface RunningEvaluation {
  /** Where the question goes; absent when it has been asked. */
  readonly input: Writable | null;
  readonly output: Readable;
  readonly errors: Readable;
  /** Whether it can be asked again in a fresh process, since this one was there before the question. */
  readonly isSpare: boolean;
  /** Called when it could not be started. */
  onFailure(listener: (error: Error) => void): void;
  /** Called when it has ended, and all that it said was heard. What ended a spare is not known: two times `null`. */
  onEnd(listener: (status: number | null, signal: NodeJS.Signals | null) => void): void;
  hasEnded(): boolean;
  /** Whether this program waits for it. */
  hold(waits: boolean): void;
  /** End it with all of its group. */
  kill(): void;
}

/**
 * Start the process of an evaluation. Descriptor 0 is the question, 3 the modules that are known already.
 *
 * @param question Descriptor to read the question from; absent: a pipe.
 */
export function spawnEvaluation({ words, modules }: EvaluationProcess, question?: number): RunningEvaluation {
  // The start of the program comes by here, and takes longer to load this than to print an answer that is known.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const [program = "", ...args] = words;
  const known = modules === undefined ? undefined : tryOpen(modules);
  try {
    return new SpawnedEvaluation(
      spawn(program, args, {
        env: { TZ: "UTC" },
        stdio: [question ?? "pipe", "pipe", "pipe", known ?? "ignore"],
        cwd: "/",
        // A session of its own, which also keeps terminals away, ended as a group: until the sandbox's inner process has asked to die with the outer
        // one, killing that alone would leave it, with our pipes open.
        detached: true,
      }),
    );
  } finally {
    if (known !== undefined) closeSync(known);
  }
}

class SpawnedEvaluation implements RunningEvaluation {
  readonly isSpare = false;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  get input(): Writable | null {
    return this.#child.stdin;
  }

  get output(): Readable {
    return this.#child.stdout as Readable;
  }

  get errors(): Readable {
    return this.#child.stderr as Readable;
  }

  onFailure(listener: (error: Error) => void): void {
    this.#child.on("error", listener);
  }

  onEnd(listener: (status: number | null, signal: NodeJS.Signals | null) => void): void {
    this.#child.on("close", listener);
  }

  hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  hold(waits: boolean): void {
    for (const each of [this.#child, this.#child.stdout as Socket | null, this.#child.stderr as Socket | null]) {
      if (waits) each?.ref();
      else each?.unref();
    }
  }

  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined || this.hasEnded()) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // The group ended while we decided.
    }
  }
}

export function tryOpen(file: string, flags: number = constants.O_RDONLY): number | undefined {
  try {
    return openSync(file, flags);
  } catch {
    return undefined;
  }
}
