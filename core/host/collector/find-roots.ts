import { lstatSync, unlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { STORE_DIRECTORY, type StorePath, tryParseStorePath } from "../../store/index.ts";
import { hostPath, readNames, readTarget } from "../files/index.ts";
import type { StoreLayout } from "../local-store/index.ts";
import { unlessUnreadable } from "./unreadable.ts";

/** A path that something outside the store names. */
export interface Root {
  /** May not be valid. */
  readonly path: StorePath;
  /** The link or file that names it. */
  readonly from: string;
}

export interface PermanentRoots {
  readonly roots: readonly Root[];
  /** Links below `gcroots/auto` to what is not there any more. */
  readonly stale: readonly string[];
}

/**
 * What is named below `gcroots` and `profiles`.
 *
 * A link into the store is a root; a link to such a link is one too, for one step; a regular file named like a store path
 * is one. Directories are entered, those behind links are not; what cannot be read is skipped.
 *
 * Source: Nix, `LocalStore::findRoots`.
 */
export function findPermanentRoots(layout: StoreLayout): PermanentRoots {
  const search = new Search(layout);
  for (const folder of ["gcroots", "profiles"]) search.visit(join(layout.stateDirectory, folder));
  return search;
}

/** Forget the links that lead nowhere. */
export function sweepStaleRoots({ stale }: PermanentRoots): void {
  for (const link of stale) unlessUnreadable(() => unlinkSync(hostPath(link)));
}

class Search implements PermanentRoots {
  readonly roots: Root[] = [];
  readonly stale: string[] = [];
  readonly #layout: StoreLayout;
  readonly #auto: string;

  constructor(layout: StoreLayout) {
    this.#layout = layout;
    this.#auto = `${layout.stateDirectory}/gcroots/auto/`;
  }

  visit(folder: string): void {
    for (const name of unlessUnreadable(() => readNames(folder)) ?? []) {
      const place = `${folder}/${name}`;
      const stat = unlessUnreadable(() => lstatSync(hostPath(place)));
      if (stat?.isDirectory()) this.visit(place);
      else if (stat?.isSymbolicLink()) this.#link(place);
      else if (stat?.isFile()) this.#add(`${STORE_DIRECTORY}/${name}`, place);
    }
  }

  #link(link: string): void {
    const target = unlessUnreadable(() => readTarget(link));
    if (target === undefined || this.#add(target, link)) return;
    const second = resolve(dirname(link), target);
    try {
      if (lstatSync(hostPath(second)).isSymbolicLink()) this.#add(readTarget(second), second);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Only what is surely gone: a directory that we may not look into can still have it.
      if ((code === "ENOENT" || code === "ENOTDIR") && link.startsWith(this.#auto)) this.stale.push(link);
    }
  }

  /** Whether a text names something inside the store. */
  #add(text: string, from: string): boolean {
    const path = objectAt(text, this.#layout);
    if (path !== undefined) this.roots.push({ path, from });
    return path !== undefined;
  }
}

/** The store object at or around a place, by its name or by where it lies on this machine. */
function objectAt(place: string, { realStoreDirectory }: StoreLayout): StorePath | undefined {
  const store = [STORE_DIRECTORY, realStoreDirectory].find((directory) => place.startsWith(`${directory}/`));
  if (store === undefined) return undefined;
  const [name] = place.slice(store.length + 1).split("/");
  return tryParseStorePath(`${STORE_DIRECTORY}/${name}`);
}
