/** How long work waits for a builder to run beside it. */
const PATIENCE_MS = 20;

/**
 * Work the next build need not wait for, such as clearing away after the last one: done while a builder runs and this process has
 * nothing else to do, or a moment later when none begins.
 */
export class SpareTime {
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Fulfilled when the work is done; rejected with what it threw. */
  add(work: () => void | Promise<void>): Promise<void> {
    const done = new Promise<void>((resolve) => this.#waiting.push(resolve)).then(work);
    // Who asked for it may have failed meanwhile, and then nobody listens.
    done.catch(() => {});
    this.#timer ??= setTimeout(() => this.use(), PATIENCE_MS);
    return done;
  }

  /** A builder runs, or nothing more is to come: all that waits is done now. */
  use(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const begin of this.#waiting.splice(0)) begin();
  }
}
