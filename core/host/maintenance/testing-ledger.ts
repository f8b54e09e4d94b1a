import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { LocalStore } from "../local-store/index.ts";
import { Profile } from "../profile/index.ts";

/** Where a worker keeps its roots. */
export function rootsOf(stateDirectory: string, slot: string): string {
  return join(stateDirectory, "gcroots", `work-${slot}`);
}

/** What one worker has told, and what has to be true of the store because of it. */
export class Ledger {
  readonly slot: string;
  readonly #links = new Map<string, string>();
  readonly #generations = new Map<number, string>();
  /** What was about to be taken away when we heard last. */
  readonly #doubtful = new Set<string>();
  #current = 0;
  #done = 0;

  constructor(slot: string) {
    this.slot = slot;
  }

  /** How many things were done. */
  get done(): number {
    return this.#done;
  }

  take(line: string): void {
    const [word, verb, what, path] = line.split(" ") as [string, string, string, string];
    if (word === "begin") this.#doubtful.add(`${verb} ${what}`);
    if (word !== "done") return;
    this.#done += 1;
    this.#doubtful.delete(`${verb} ${what}`);
    if (verb === "link") this.#links.set(what, path);
    if (verb === "drop") this.#links.delete(what);
    if (verb === "profile") {
      this.#generations.set(Number(what), path);
      this.#current = Number(what);
    }
    if (verb === "forget") this.#generations.delete(Number(what));
  }

  /** The worker was killed: whether the last removal happened is seen now, once. */
  settle(store: LocalStore): void {
    const roots = rootsOf(store.stateDirectory, this.slot);
    for (const name of [...this.#links.keys()])
      if (this.#doubtful.has(`drop ${name}`) && readLink(join(roots, name)) === undefined) this.#links.delete(name);
    const profile = this.#profile(store);
    for (const number of [...this.#generations.keys()])
      if (this.#doubtful.has(`forget ${number}`) && readLink(profile.linkPath(number)) === undefined)
        this.#generations.delete(number);
    this.#doubtful.clear();
  }

  /** What is not as it was told. */
  check(store: LocalStore): string[] {
    const faults: string[] = [];
    const need = (holds: boolean, words: string): void => {
      if (!holds) faults.push(`worker ${this.slot}: ${words}`);
    };
    const roots = rootsOf(store.stateDirectory, this.slot);
    for (const [name, path] of this.#links) {
      const found = readLink(join(roots, name));
      if (found === undefined && this.#doubtful.has(`drop ${name}`)) continue;
      need(found === path, `root ${name} is ${found}, told ${path}`);
      need(isThere(store, path), `${path}, kept by root ${name}, is not there`);
    }
    const profile = this.#profile(store);
    const generations = profile.list();
    for (const [number, path] of this.#generations) {
      const found = generations.find((one) => one.number === number);
      if (found === undefined && this.#doubtful.has(`forget ${number}`)) continue;
      need(found?.target === path, `generation ${number} is ${found?.target}, told ${path}`);
    }
    for (const { number, target } of generations)
      need(isThere(store, target), `${target} of generation ${number} is not there`);
    if (this.#current === 0) return faults;
    const current = generations.find((one) => one.current);
    need(
      current !== undefined && current.number >= this.#current,
      `generation ${this.#current} is not the current one`,
    );
    return faults;
  }

  #profile(store: LocalStore): Profile {
    return new Profile(join(store.stateDirectory, "profiles"), `work-${this.slot}`);
  }
}

function isThere(store: LocalStore, path: string): boolean {
  return store.isValid(path) && lstatSync(store.realPath(path), { throwIfNoEntry: false }) !== undefined;
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
