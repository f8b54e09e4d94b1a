import { CodedError } from "../../base/index.ts";
import type { PathInfo } from "../../store/index.ts";

/** What is asked of the store for registering. */
export interface Registrar {
  /** Make the paths durable and valid, in one transaction. */
  registerOutputsLater(infos: PathInfo[]): Promise<void>;
}

/** What becomes valid together or not at all, and who waits for it. */
interface Waiting {
  readonly infos: readonly PathInfo[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Registers outputs in groups: what becomes ready within a short time shares one transaction and one flush of the disk.
 *
 * Outputs are registered in the order they come, so a group never holds a path without the ones it refers to. One that is refused
 * (a `.drv` file from elsewhere that states wrong paths) does not take the others of its group with it.
 */
export class RegistrationQueue {
  readonly #store: Registrar;
  readonly #delayMs: number;
  #waiting: Waiting[] = [];
  #group: Promise<void> | undefined;
  #start: (() => void) | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(store: Registrar, delayMs = 150) {
    this.#store = store;
    this.#delayMs = delayMs;
  }

  /** Fulfilled when the paths are registered; rejected when they could not be. */
  add(infos: readonly PathInfo[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ infos, resolve, reject });
      this.#group ??= this.#openGroup();
    });
  }

  /** Do not wait for company any longer. */
  hurry(): void {
    this.#start?.();
  }

  /** Wait until everything that was added is registered, or has failed to be. */
  async drained(): Promise<void> {
    this.hurry();
    await this.#last;
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
      await before;
      const members = this.#waiting;
      this.#waiting = [];
      this.#group = undefined;
      this.#start = undefined;
      await this.#register(members);
    })();
    this.#last = group;
    return group;
  }

  /** Tells each member what became of it; never rejected. */
  async #register(members: readonly Waiting[]): Promise<void> {
    try {
      await this.#store.registerOutputsLater(members.flatMap(({ infos }) => infos));
      for (const { resolve } of members) resolve();
    } catch (error) {
      // A full disk is everybody's trouble; a refusal is that of one of them.
      if (members.length > 1 && error instanceof CodedError) for (const each of members) await this.#register([each]);
      else for (const { reject } of members) reject(error);
    }
  }
}
