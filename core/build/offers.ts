import { CodedError } from "../base/index.ts";
import { closureOf, type StorePath } from "../store/index.ts";
import type { Offer } from "./jobs.ts";

/** Whether a path can be had with everything it refers to. `ask` names what has to be asked before that can be said. */
export type Availability =
  | { readonly kind: "yes" }
  | { readonly kind: "no" }
  | { readonly kind: "ask"; readonly paths: readonly StorePath[] };

/**
 * What other stores were found to have. A path can be substituted only when each object it refers to, however far away, is
 * valid already or can be substituted too.
 */
export class Offers {
  readonly #isValid: (path: StorePath) => boolean;
  /** `undefined` as a value: nobody has it. */
  readonly #answers = new Map<StorePath, Offer | undefined>();
  /** Paths whose whole closure is known to be there. */
  readonly #complete = new Set<StorePath>();

  constructor(isValid: (path: StorePath) => boolean) {
    this.#isValid = isValid;
  }

  answer(path: StorePath, offer: Offer | undefined): void {
    this.#answers.set(path, offer);
  }

  /** Whether a path can be had, as far as is known. */
  availability(path: StorePath): Availability {
    const seen = new Set<StorePath>([path]);
    const unknown: StorePath[] = [];
    const queue = [path];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (this.#complete.has(next) || this.#isValid(next)) continue;
      const offer = this.#answers.get(next);
      if (offer === undefined) {
        if (this.#answers.has(next)) return { kind: "no" };
        unknown.push(next);
        continue;
      }
      for (const reference of offer.info.references) {
        if (seen.has(reference)) continue;
        seen.add(reference);
        queue.push(reference);
      }
    }
    if (unknown.length > 0) return { kind: "ask", paths: unknown };
    if (!this.#hasOrder(path)) return { kind: "no" };
    for (const each of seen) this.#complete.add(each);
    return { kind: "yes" };
  }

  /** Whether references come before referrers: a store that says otherwise lies, and nothing of it could be registered. */
  #hasOrder(path: StorePath): boolean {
    const isNew = (each: StorePath): boolean => !this.#complete.has(each) && !this.#isValid(each);
    try {
      closureOf([path].filter(isNew), (each) => this.#answers.get(each)?.info.references.filter(isNew) ?? []);
      return true;
    } catch (error) {
      if (error instanceof CodedError && error.code === "store.reference-cycle") return false;
      throw error;
    }
  }

  /** What has to be fetched so that available paths are valid, in no particular order. */
  missingClosure(paths: Iterable<StorePath>): Map<StorePath, Offer> {
    const missing = new Map<StorePath, Offer>();
    const queue = [...paths];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (missing.has(path) || this.#isValid(path)) continue;
      const offer = this.#answers.get(path) as Offer;
      missing.set(path, offer);
      queue.push(...offer.info.references);
    }
    return missing;
  }
}
