import type { Source } from "./cell.ts";

/** Rules that are to run, those of a lower level before others. */
export class DueRules {
  readonly #rules = new Set<Source>();
  #levels: ReadonlyMap<Source, number>;
  readonly #byLevel: Set<Source>[] = [];
  /** No level below has rules. */
  #lowest = 0;

  /** @param levels Of rules; those that it does not have are on the lowest level. */
  constructor(rules: Iterable<Source>, levels: ReadonlyMap<Source, number>) {
    this.#levels = levels;
    for (const rule of rules) this.add(rule);
  }

  get all(): ReadonlySet<Source> {
    return this.#rules;
  }

  /** The lowest level that has rules. There has to be one. */
  get lowest(): number {
    while (this.#level(this.#lowest).size === 0) this.#lowest += 1;
    return this.#lowest;
  }

  add(rule: Source): void {
    if (this.#rules.has(rule)) return;
    this.#rules.add(rule);
    const level = this.#levels.get(rule) ?? 0;
    this.#level(level).add(rule);
    this.#lowest = Math.min(this.#lowest, level);
  }

  /** Put the rules on other levels. */
  sortBy(levels: ReadonlyMap<Source, number>): void {
    this.#levels = levels;
    for (const rule of this.takeAll()) this.add(rule);
  }

  takeLowest(): Source[] {
    const level = this.#level(this.lowest);
    const rules = [...level];
    level.clear();
    for (const rule of rules) this.#rules.delete(rule);
    return rules;
  }

  takeAll(): Source[] {
    const rules = [...this.#rules];
    this.#rules.clear();
    this.#byLevel.length = 0;
    return rules;
  }

  #level(level: number): Set<Source> {
    while (this.#byLevel.length <= level) this.#byLevel.push(new Set());
    return this.#byLevel[level] as Set<Source>;
  }
}
