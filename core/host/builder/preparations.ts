import type { StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import type { HeldLocks } from "../local-store/index.ts";
import type { SpareTime } from "./spare-time.ts";
import type { Workspace } from "./workspace.ts";

/** What a build begins with, in place before it begins. */
export interface PreparedBuild {
  /** On its outputs. */
  readonly locks: HeldLocks;
  readonly workspace: Workspace;
  removeWorkspace(): void;
}

export interface PreparationsOptions {
  readonly spareTime: SpareTime;
  /** Without waiting; `undefined` when somebody else has one of them. */
  readonly lock: (paths: readonly StorePath[]) => Promise<HeldLocks | undefined>;
  readonly openWorkspace: (drvPath: StorePath, name: string) => Promise<Workspace>;
}

interface Wanted {
  /** `undefined` as long as there was no time to begin. */
  done: Promise<PreparedBuild | undefined>;
}

/**
 * Locks and directories of builds that are next, made while the build before them runs.
 *
 * Who waits for the lock of somebody else must hold none of these meanwhile, or two processes could wait for each other: that is
 * what {@link drop} is for.
 */
export class Preparations {
  readonly #options: PreparationsOptions;
  readonly #wanted = new Map<StorePath, Wanted>();

  constructor(options: PreparationsOptions) {
    this.#options = options;
  }

  /** Begin when there is time. What fails is left to the build. */
  begin(build: { readonly drvPath: StorePath; readonly name: string; readonly outputs: readonly StorePath[] }): void {
    const { drvPath } = build;
    if (this.#wanted.has(drvPath)) return;
    const wanted: Wanted = { done: Promise.resolve(undefined) };
    this.#wanted.set(drvPath, wanted);
    void this.#options.spareTime.add(() => {
      if (this.#wanted.get(drvPath) === wanted) wanted.done = this.#prepare(build).catch(() => undefined);
    });
  }

  /** What was prepared, which belongs to the caller from here on. */
  async take(drvPath: StorePath): Promise<PreparedBuild | undefined> {
    const wanted = this.#wanted.get(drvPath);
    this.#wanted.delete(drvPath);
    return wanted?.done;
  }

  /** Give everything back, now or as soon as it is there. */
  drop(): void {
    void this.close();
  }

  /** {@link drop}, to its end. */
  async close(): Promise<void> {
    await Promise.all([...this.#wanted.keys()].map((drvPath) => this.#giveBack(this.take(drvPath))));
  }

  async #prepare({ drvPath, name, outputs }: Parameters<Preparations["begin"]>[0]): Promise<PreparedBuild | undefined> {
    const locks = await this.#options.lock(outputs);
    if (locks === undefined) return undefined;
    try {
      const workspace = await this.#options.openWorkspace(drvPath, name);
      const removeWorkspace = (): void => {
        removeTree(workspace.topDirectory);
        removeTree(workspace.buildDirectory);
      };
      return { locks, workspace, removeWorkspace };
    } catch (error) {
      locks.release();
      throw error;
    }
  }

  async #giveBack(taken: Promise<PreparedBuild | undefined>): Promise<void> {
    const prepared = await taken;
    prepared?.removeWorkspace();
    prepared?.locks.release();
  }
}
