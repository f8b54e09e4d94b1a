import { join } from "node:path";
import { presentOrNot, stampAll, type RequiredObjects, type Watched } from "../../core/host/answers/index.ts";
import { findEngine } from "../../core/host/evaluator/index.ts";
import { ownSettingsPlaces, settingsFiles } from "../../core/host/process/settings-files.ts";
import type { CliContext } from "./context.ts";
import { type PlaceOfAnswer, placeOfAnswer } from "./known-answer.ts";

/** What a command has printed, and what that depends on besides its words. */
export interface PrintedAnswer {
  readonly text: string;
  /** For each flake that was asked; gives `undefined` where the answer depends on more than files. */
  readonly watched: readonly (() => Promise<Watched | undefined>)[];
  /** Links that the command would make. Default none. */
  readonly links?: readonly string[];
  readonly store?: RequiredObjects;
}

/**
 * Keep what a command printed, for the next time it is given while nothing has changed. For commands that did nothing else: what they
 * made or wrote was there before. A command that said something to people is not kept, and neither is one that files changed under.
 * What cannot be looked at or kept is no reason to fail.
 */
export async function rememberAnswer(context: CliContext, answer: PrintedAnswer): Promise<void> {
  const entry = join(findEngine(), "dist/floe.cjs");
  // From the sources nobody would look for it.
  if (process.argv[1] !== entry || context.hasSaid()) return;
  const place = placeOfAnswer({ words: process.argv.slice(2), entry });
  try {
    if (place !== undefined) await keep(place, answer);
  } catch {
    return;
  }
}

async function keep(
  { answers, key }: PlaceOfAnswer,
  { text, watched, links = [], store }: PrintedAnswer,
): Promise<void> {
  const paths: string[] = [...links];
  const absent: string[] = [];
  const all = await Promise.all(watched.map((watch) => watch()));
  for (const each of [...all, presentOrNot(settingsFiles(ownSettingsPlaces()))]) {
    if (each === undefined) return;
    paths.push(...each.paths);
    absent.push(...each.absent);
  }
  const stamps = stampAll({ paths, absent }, performance.timeOrigin);
  if (stamps === undefined) return;
  answers.keep(key, { text, stamps, absent, ...(store === undefined ? {} : { store }) });
}
