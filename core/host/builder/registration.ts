import type { PathInfo } from "../../store/index.ts";

/** What is asked of the store for registering. */
export interface Registrar {
  /** Make the paths durable and valid, in one transaction. */
  registerOutputsLater(infos: PathInfo[]): Promise<void>;
}

/**
 * Registers outputs in groups: what becomes ready within a short time shares one transaction and one flush of the disk.
 *
 * Outputs are registered in the order they come, so a group never holds a path without the ones it refers to.
 */
export class RegistrationQueue {
  readonly #store: Registrar;
  readonly #delayMs: number;
  #waiting: PathInfo[] = [];
  #group: Promise<void> | undefined;
  #start: (() => void) | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(store: Registrar, delayMs = 150) {
    this.#store = store;
    this.#delayMs = delayMs;
  }

  /** Fulfilled when the paths are registered; rejected when that failed. */
  add(infos: readonly PathInfo[]): Promise<void> {
    this.#waiting.push(...infos);
    this.#group ??= this.#openGroup();
    return this.#group;
  }

  /** Do not wait for company any longer. */
  hurry(): void {
    this.#start?.();
  }

  /** Wait until everything that was added is registered, or has failed to be. */
  async drained(): Promise<void> {
    this.hurry();
    await this.#last.catch(() => {});
  }

  #openGroup(): Promise<void> {
    const before = this.#last;
    const ready = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#delayMs);
      this.#start = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const group = (async () => {
      await ready;
      // A group that failed has told its own members; those of the next one stand for themselves.
      await before.catch(() => {});
      const infos = this.#waiting;
      this.#waiting = [];
      this.#group = undefined;
      this.#start = undefined;
      await this.#store.registerOutputsLater(infos);
    })();
    this.#last = group;
    return group;
  }
}
