import { readFileSync } from "node:fs";
import { keepFile, linesOfSum, sumOf, userCacheFolder, withSum } from "./kept-files.ts";
import { isAsItWas, type Stamps } from "./watched.ts";

/** What a command printed, and what that holds for. */
export interface Answer {
  /** All that was written to stdout. */
  readonly text: string;
  readonly stamps: readonly Stamps[];
  /** Where nothing is. */
  readonly absent: readonly string[];
  /** What has to be valid in a store; absent when the answer does not depend on one. */
  readonly store?: RequiredObjects;
}

export interface RequiredObjects {
  readonly root: string;
  /** Whether it was the one that is meant when none is named. */
  readonly isDefault: boolean;
  /** The database that says what is valid. */
  readonly database: string;
  readonly paths: readonly string[];
}

/** Changes when answers of an older shape must not be read. */
const VERSION = 1;
/** How many are kept: those written last. */
const KEPT = 64;

/**
 * Answers of whole commands: what was printed for the same words, in the same folder, by the same program, while nothing they were made
 * from has changed. Whoever finds one has nothing to load but this.
 *
 * A file of two lines of JSON, and a sum of both: one that was cut short or damaged is none.
 */
export class Answers {
  readonly #folder: string;

  /** @param folder Where they are kept; made when the first one is. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The answer to a command, if all it was made from is as it was. What the store has to have is not looked at here.
   *
   * @param key All that the command depends on besides files, as text.
   */
  find(key: string): Answer | undefined {
    let bytes: Buffer;
    try {
      bytes = readFileSync(`${this.#folder}/${nameOf(key)}`);
    } catch {
      return undefined;
    }
    const [own, json] = linesOfSum(bytes) ?? [];
    // Two keys may have one name.
    if (own !== JSON.stringify(key) || json === undefined) return undefined;
    const answer = JSON.parse(json) as Answer;
    try {
      return isAsItWas(answer.stamps, answer.absent) ? answer : undefined;
    } catch {
      // A folder became a file, a circle of links, or one that we may not enter.
      return undefined;
    }
  }

  /** Keep an answer. A cache that cannot be written is no reason to fail. */
  keep(key: string, answer: Answer): void {
    const text = withSum([JSON.stringify(key), JSON.stringify(answer)]);
    keepFile(this.#folder, nameOf(key), { text, kept: KEPT });
  }
}

function nameOf(key: string): string {
  return sumOf(Buffer.from(`${VERSION} ${key}`));
}

/** The folder for answers of this user. */
export function defaultAnswersFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const cache = userCacheFolder(env);
  return cache === undefined ? undefined : `${cache}/answers`;
}
