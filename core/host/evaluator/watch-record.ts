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
 * Every path that has to be as it is for a record to hold: files, links, folders on the way, and of trees what was looked at.
 *
 * @param counts Whether an entry of a tree counts, as absolute path.
 * @returns `undefined` when these are too many.
 */
export function pathsOfReads({ files, trees, ways }: Reads, counts: (path: string) => boolean): string[] | undefined {
  const paths = [...files, ...ways].map(({ path }) => path);
  let barren = 0;
  const enter = (folder: string, look: Look): boolean => {
    paths.push(folder);
    if (look === "barren" && ++barren > MAX_FOLDERS) return false;
    return readdirSync(folder, { withFileTypes: true }).every((entry) => visit(folder, entry, look));
  };
  const visit = (folder: string, entry: Dirent, look: Look): boolean => {
    const path = `${folder}/${entry.name}`;
    const isCounted = look !== "barren" && counts(path);
    // A file that comes into a folder without any that counts may count itself, and changes that folder alone.
    if (entry.isDirectory()) return (entry.name === ".git" && !isCounted) || enter(path, isCounted ? look : "barren");
    if (isCounted && look === "whole") paths.push(path);
    return true;
  };
  for (const { path, of } of trees) {
    if (Array.isArray(of)) paths.push(path, ...of.map((relative: string) => `${path}/${relative}`));
    else if (!lstatSync(path).isDirectory()) paths.push(path);
    else if (!enter(path, of === "names" ? "names" : "whole")) return undefined;
  }
  return [...new Set(paths)];
}

/** What counts of a folder: its entries, their names and kinds, which change with the folder, or nothing. */
type Look = "whole" | "names" | "barren";
