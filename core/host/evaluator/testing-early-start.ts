import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "../process/find-program.ts";
import { EarlyStart, type Launch, offerEarlyStart } from "./early-start.ts";
import { isBundleCurrent } from "./engine.ts";
import type { EvaluateOptions } from "./evaluate.ts";
import type { Stays } from "./limits.ts";
import type { EvaluationProcess, RunningEvaluation } from "./spawn-evaluation.ts";
import { ask, flakeIn, flakeText, makeFolder } from "./testing.ts";

/** Tells what was asked of it first to take, and what was taken. */
export class WatchedStart extends EarlyStart {
  taken: RunningEvaluation | undefined;
  asked: EvaluationProcess | undefined;
  readonly #staysSeconds: number | undefined;

  /** @param staysSeconds In place of what the settings say. */
  constructor(folder: string, key: string, staysSeconds?: number, launch?: Launch) {
    super(folder, key, launch);
    this.#staysSeconds = staysSeconds;
  }

  override take(...asked: Parameters<EarlyStart["take"]>): RunningEvaluation | undefined {
    const child = super.take(...asked);
    [this.asked] = asked;
    this.taken ??= child;
    return child;
  }

  override keep(asked: EvaluationProcess, question: string, stays: Stays): void {
    const own = this.#staysSeconds;
    super.keep(asked, question, own === undefined ? stays : { first: own, again: own });
  }
}

/** For tests: begin with a process that stands ready, which the command before has left and which may take a moment to get there. */
export async function beginReady(early: EarlyStart): Promise<void> {
  while (early.begin()?.isSpare !== true) {
    early.end();
    await sleep(50);
  }
}

/** For tests: whether processes can stand ready here; says so where not. */
export function canStandReady(): boolean {
  const can = findProgram("bwrap") !== undefined && isBundleCurrent();
  if (!can) console.log("skipped: no process can stand ready without bubblewrap and a bundle as new as its sources");
  return can;
}

/** For tests: a flake with the outputs `a` (1, of a file of its own) and `b`, asked by one command again and again. */
export function watchedFlake(staysSeconds?: number, launch?: Launch) {
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText("{ a, b: 3 }", 'import { a } from "./a.ts";'),
    "flake/a.ts": "export const a = 1;\n",
  });
  const flake = flakeIn(`${folder}/flake`);
  return {
    folder,
    make: (): WatchedStart => new WatchedStart(folder, "a command", staysSeconds, launch),
    async askWith(early: EarlyStart, attribute = "a", options: Partial<EvaluateOptions> = {}): Promise<unknown> {
      offerEarlyStart(early);
      return (await ask(flake, attribute, options)).value;
    },
  };
}
