import type { GraphSource } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";

/** What is asked of the store for closures. */
export interface ClosureSource {
  queryPathInfo(path: StorePath): PathInfo | undefined;
  readDerivation(drvPath: StorePath): Derivation;
}

/**
 * The graph of valid paths during one run, with what was just built but is not yet in the database.
 *
 * Facts about valid paths never change, so each is read once: hundreds of builds share large input closures.
 */
export class Closures implements GraphSource {
  readonly #store: ClosureSource;
  readonly #infos = new Map<StorePath, PathInfo>();

  constructor(store: ClosureSource) {
    this.#store = store;
  }

  /** Make fresh outputs known. */
  add(infos: readonly PathInfo[]): void {
    for (const info of infos) this.#infos.set(info.path, info);
  }

  has(path: StorePath): boolean {
    return this.infoOf(path) !== undefined;
  }

  infoOf(path: StorePath): PathInfo | undefined {
    const known = this.#infos.get(path);
    if (known !== undefined) return known;
    const info = this.#store.queryPathInfo(path);
    if (info !== undefined) this.#infos.set(path, info);
    return info;
  }

  readDerivation(drvPath: StorePath): Derivation {
    return this.#store.readDerivation(drvPath);
  }

  /** Closure of valid paths, references first. Paths that are not valid are left out. */
  closure(paths: readonly StorePath[]): StorePath[] {
    const order: StorePath[] = [];
    const seen = new Set<StorePath>();
    const stack: { path: StorePath; rest: StorePath[] }[] = [];
    const enter = (path: StorePath): void => {
      if (seen.has(path)) return;
      seen.add(path);
      const info = this.infoOf(path);
      if (info !== undefined) stack.push({ path, rest: [...info.references] });
    };
    for (const start of paths) {
      enter(start);
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const next = top.rest.pop();
        if (next !== undefined) enter(next);
        else {
          order.push(top.path);
          stack.pop();
        }
      }
    }
    return order;
  }
}
