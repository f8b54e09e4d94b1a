/**
 * Turns questions about single things into questions about many: those that come in the same moment are asked together, up to
 * `limit` at once.
 */
export class Gatherer<Key, Answer> {
  readonly #ask: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Answer>>;
  readonly #limit: number;
  #waiting = new Map<Key, ((answer: Promise<Answer | undefined>) => void)[]>();

  constructor(ask: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, Answer>>, limit = 1000) {
    this.#ask = ask;
    this.#limit = limit;
  }

  /** `undefined` when there is no answer for it. */
  ask(key: Key): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#send());
      const resolvers = this.#waiting.get(key);
      if (resolvers === undefined) this.#waiting.set(key, [resolve]);
      else resolvers.push(resolve);
    });
  }

  #send(): void {
    const all = [...this.#waiting];
    this.#waiting = new Map();
    for (let at = 0; at < all.length; at += this.#limit) {
      const part = all.slice(at, at + this.#limit);
      const answers = this.#ask(part.map(([key]) => key));
      for (const [key, resolvers] of part) {
        const answer = answers.then((found) => found.get(key));
        // Whoever asked meets the failure.
        answer.catch(() => {});
        for (const resolve of resolvers) resolve(answer);
      }
    }
  }
}
