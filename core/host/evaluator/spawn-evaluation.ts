import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** A process to ask: the words that start it, and what it gets besides the question. */
export interface EvaluationProcess {
  /** The program and its arguments. */
  readonly words: readonly string[];
  /** File of modules without their types, which need not be there; absent: none. */
  readonly modules?: string | undefined;
}

/**
 * Start the process of an evaluation. Descriptor 0 is the question, 3 the modules that are known already.
 *
 * @param question Descriptor to read the question from; absent: a pipe.
 */
export function spawnEvaluation({ words, modules }: EvaluationProcess, question?: number): ChildProcess {
  // The start of the program comes by here, and takes longer to load this than to print an answer that is known.
  const { spawn } = process.getBuiltinModule("node:child_process");
  const [program = "", ...args] = words;
  const known = modules === undefined ? undefined : tryOpen(modules);
  try {
    return spawn(program, args, {
      env: { TZ: "UTC" },
      stdio: [question ?? "pipe", "pipe", "pipe", known ?? "ignore"],
      cwd: "/",
      // A session of its own, which also keeps terminals away, ended as a group: until the sandbox's inner process has asked to die with the outer
      // one, killing that alone would leave it, with our pipes open.
      detached: true,
    });
  } finally {
    if (known !== undefined) closeSync(known);
  }
}

export function tryOpen(file: string): number | undefined {
  try {
    return openSync(file, "r");
  } catch {
    return undefined;
  }
}

/** End the process with all of its group. */
export function killEvaluation({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group ended while we decided.
  }
}
