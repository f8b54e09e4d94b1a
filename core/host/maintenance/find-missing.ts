import { readdir } from "node:fs";
import { STORE_DIRECTORY, type StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";

/** What a look into the store directory gave. */
export interface MissingObjects {
  /** How many objects are valid. */
  readonly checked: number;
  /** Those of them that are not in the directory. What is being registered or deleted meanwhile may be among them. */
  readonly missing: readonly StorePath[];
}

/** Compare the names in the store directory with the valid paths: one reading of each answers for all. */
export async function findMissing(store: LocalStore): Promise<MissingObjects> {
  // A thread of the system reads the directory while the database answers here.
  const reading = Promise.all(store.objectDirectories.map(readNames));
  const text = store.allPathsText();
  const [names = [], ...others] = await reading;
  return compareNames(text, others.length === 0 ? names : [...new Set([names, ...others].flat())].sort());
}

/** So many names are compared at once. */
const BLOCK = 256;

/**
 * Both are sorted, so one walk along both is enough; a set of all names takes four times as long. Where nothing is missing and little
 * else lies there, the walk makes steps of {@link BLOCK} names, each of which is one comparison of texts.
 *
 * @param text Store paths, sorted, one to a line.
 * @param names Names in the store directory, sorted.
 */
export function compareNames(text: string, names: readonly string[]): MissingObjects {
  const missing: StorePath[] = [];
  let checked = 0;
  let next = 0;
  /** Until here it goes name by name, since a block that began before was not found. */
  let slowUntil = 0;
  for (let start = 0; start < text.length; ) {
    if (next >= slowUntil) {
      const block = names.slice(next, next + BLOCK);
      const lines = `${STORE_DIRECTORY}/${block.join(`\n${STORE_DIRECTORY}/`)}`;
      if (block.length > 0 && text.startsWith(lines, start) && isEnd(text, start + lines.length)) {
        start += lines.length + 1;
        next += block.length;
        checked += block.length;
        continue;
      }
      slowUntil = next + BLOCK;
    }
    const nameAt = start + STORE_DIRECTORY.length + 1;
    const end = endOfLine(text, nameAt);
    const name = text.slice(nameAt, end);
    while (next < names.length && (names[next] as string) < name) next += 1;
    if (names[next] === name) next += 1;
    else missing.push(text.slice(start, end) as StorePath);
    start = end + 1;
    checked += 1;
  }
  return { checked, missing };
}

function isEnd(text: string, at: number): boolean {
  return at === text.length || text[at] === "\n";
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/** Sorted names; none where there is no directory. */
function readNames(directory: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    readdir(directory, (error, names) => {
      if (error === null) resolve(names.sort());
      else if (error.code === "ENOENT") resolve([]);
      else reject(error);
    });
  });
}
