import type { AsyncLocalStorage } from "node:async_hooks";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { type HeldLocks, type LockPathsOptions, lockRealPaths } from "./path-locks.ts";

// An import asks for each thing a module of Node exports.
const hooks = process.getBuiltinModule("node:async_hooks");

/** Objects that are complete and wait to be registered together. */
export interface Batch {
  readonly infos: Map<StorePath, PathInfo>;
  /** Held until they are. */
  readonly locks: HeldLocks[];
}

/**
 * The batches of one store. What is added inside one belongs to it, also after waiting for something; what others of this process add
 * meanwhile does not. They come one after the other.
 *
 * A batch holds locks until its end. Whoever has to wait for a lock therefore registers what is complete and gives back its own first,
 * so that two batches, of one process or two, never wait for each other.
 */
export class Batches {
  readonly #inside: AsyncLocalStorage<Batch> = new hooks.AsyncLocalStorage();
  /** Registers what waits in the caller's batch. */
  readonly #register: () => Promise<void>;
  #open: Batch | undefined;
  #last: Promise<void> = Promise.resolve();
  /** Callers in this process that wait for a lock. */
  #waiting = 0;

  constructor(register: () => Promise<void>) {
    this.#register = register;
  }

  /** The batch that the caller is part of. One that has ended takes nothing more. */
  get own(): Batch | undefined {
    const own = this.#inside.getStore();
    return own === this.#open ? own : undefined;
  }

  /** Run inside a batch. When `run` fails, what waits is dropped. @param finish Wait for the disk. */
  async run<T>(run: () => T | Promise<T>, finish: () => Promise<void>): Promise<T> {
    if (this.own !== undefined) return run();
    const before = this.#last;
    let done: () => void = () => {};
    this.#last = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    const batch: Batch = { infos: new Map(), locks: [] };
    this.#open = batch;
    try {
      return await this.#inside.run(batch, async () => {
        const result = await run();
        // What is added while we wait for the disk is registered in the next round.
        do {
          while (batch.infos.size > 0) await this.#register();
          await finish();
        } while (batch.infos.size > 0);
        return result;
      });
    } finally {
      this.#open = undefined;
      for (const lock of batch.locks) lock.release();
      done();
    }
  }

  /** Lock a place that is about to be written. */
  async lock(real: string, options: Pick<LockPathsOptions, "signal"> = {}): Promise<HeldLocks> {
    const free = await lockRealPaths([real], { wait: false });
    if (free !== undefined) return free;
    this.#waiting++;
    try {
      await this.#giveWay();
      return (await lockRealPaths([real], options)) as HeldLocks;
    } finally {
      this.#waiting--;
    }
  }

  /** Let a complete object wait for the end of the caller's batch. */
  async keep({ infos, locks }: Batch, info: PathInfo, held: HeldLocks): Promise<void> {
    infos.set(info.path, info);
    locks.push(held);
    if (this.#waiting > 0) await this.#giveWay();
  }

  async #giveWay(): Promise<void> {
    const locks = this.own?.locks.splice(0) ?? [];
    try {
      if (this.own !== undefined && this.own.infos.size > 0) await this.#register();
    } finally {
      for (const lock of locks) lock.release();
    }
  }
}
