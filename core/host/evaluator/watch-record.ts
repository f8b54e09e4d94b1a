import { type Dirent, lstatSync, readdirSync } from "node:fs";
import type { FileRead, TreeRead, WayRead } from "./protocol.ts";

/** What an evaluation went through. */
export interface Reads {
  readonly files: readonly FileRead[];
  readonly trees: readonly TreeRead[];
  readonly ways: readonly WayRead[];
}

/** Of folders in which nothing counts so many are watched; with more of them (packages of other tools) an answer is not worth it. */
const MAX_FOLDERS = 4000;

/**
 * Every path that has to be as it is for a record to hold: files, links, folders on the way, and trees with all that counts of them.
 *
 * @param counts Whether an entry of a tree counts, as absolute path.
 * @returns `undefined` when these are too many.
 */
export function pathsOfReads({ files, trees, ways }: Reads, counts: (path: string) => boolean): string[] | undefined {
  const paths = [...files, ...ways].map(({ path }) => path);
  let barren = 0;
  const enter = (folder: string, isBarren: boolean): boolean => {
    paths.push(folder);
    if (isBarren && ++barren > MAX_FOLDERS) return false;
    return readdirSync(folder, { withFileTypes: true }).every((entry) => visit(folder, entry, isBarren));
  };
  const visit = (folder: string, entry: Dirent, isBarren: boolean): boolean => {
    const path = `${folder}/${entry.name}`;
    const isCounted = !isBarren && counts(path);
    // A file that comes into a folder without any that counts may count itself, and changes that folder alone.
    if (entry.isDirectory()) return (entry.name === ".git" && !isCounted) || enter(path, !isCounted);
    if (isCounted) paths.push(path);
    return true;
  };
  for (const { path } of trees) {
    if (!lstatSync(path).isDirectory()) paths.push(path);
    else if (!enter(path, false)) return undefined;
  }
  return paths;
}
