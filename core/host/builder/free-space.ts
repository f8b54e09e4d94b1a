import type { BuildEvent, BuildOutcome } from "../../build/index.ts";
import type { CollectionSettings } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";

/** How often the disk is looked at. As Nix. */
const CHECK_MS = 5000;
/** A collection that did not help is not repeated before so much of what it left is used up. As Nix. */
const USED_UP = 0.97;

export interface FreeSpaceOptions {
  readonly store: LocalStore;
  readonly settings: CollectionSettings;
  readonly emit: (event: BuildEvent) => void;
  /** Space that is free on the store's disk. Default: ask the kernel. */
  readonly freeBytes?: () => number;
  /** Default 5000. */
  readonly checkMs?: number;
}

/** Collects the store in the background of a build when its disk runs out of space; only where the settings ask for that. */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #freeAfter = Number.POSITIVE_INFINITY;

  constructor(options: FreeSpaceOptions) {
    this.#options = options;
    const { settings, checkMs = CHECK_MS } = options;
    if (settings.minFreeBytes === undefined) return;
    this.#timer = setInterval(() => void this.#check(), checkMs).unref();
    void this.#check();
  }

  /** Whether a build ended because the disk was full and there is more room now, so that it is worth another try. */
  async madeRoomFor(outcome: BuildOutcome): Promise<boolean> {
    if (outcome.kind !== "failed" || outcome.error.code !== "build.disk-full") return false;
    if (this.#options.settings.minFreeBytes === undefined || this.#abort.signal.aborted) return false;
    const before = await this.#free();
    await (this.#running ?? this.#collect());
    return (await this.#free()) > before;
  }

  /** Look no more; a collection that runs is ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#running;
  }

  async #check(): Promise<void> {
    const { minFreeBytes = 0 } = this.#options.settings;
    const free = await this.#free();
    if (this.#running !== undefined || free >= minFreeBytes || free > this.#freeAfter * USED_UP) return;
    await this.#collect();
  }

  #collect(): Promise<void> {
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { store, settings, emit } = this.#options;
    const { collectGarbage } = await import("../collector/index.ts");
    try {
      const { deleted, freedBytes } = await collectGarbage({
        root: store.layout,
        settings,
        untilFreeBytes: settings.maxFreeBytes,
        signal: this.#abort.signal,
      });
      const mebibytes = Math.round(freedBytes / 1024 ** 2);
      emit({
        kind: "warning",
        message: `the disk of the store is nearly full: deleted ${deleted} store objects (${mebibytes} MiB)`,
      });
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      emit({
        kind: "warning",
        message: `the disk of the store is nearly full, and collecting fails: ${(error as Error).message}`,
      });
    }
    this.#freeAfter = await this.#free();
  }

  async #free(): Promise<number> {
    if (this.#options.freeBytes !== undefined) return this.#options.freeBytes();
    return (await import("../collector/index.ts")).freeBytes(this.#options.store.realStoreDirectory);
  }
}
