import type { Disk, Exchange, Nic } from "qemu-wrapper";
import type { Boot, ForkedBoot } from "./boot.ts";
import { once } from "./once.ts";

/** Makes a zygote, and gives that up when the signal says so. */
export type ZygoteMaker = (signal: AbortSignal) => Promise<Zygote>;

/** A copy of a template that has answered its first command, has been stopped, and is forked from then on. */
export interface Zygote {
  readonly boot: Boot;
  /** Folder with the files of its disks, which nobody writes to any more. */
  readonly folder: string;
  readonly disks: readonly Disk[];
  readonly nics: readonly Nic[];
  /** Give back what it holds besides QEMU. */
  release(): void;
}

/** From so many copies of one machine in a test on, it pays to make a zygote before the first of them. */
const WORTH_IT = 3;

/** How many are kept. Each holds what its guest had written to, and what QEMU has translated of it. */
export const MOST_ZYGOTES = 2;

/** Memory that one takes beside its copies. */
export const ZYGOTE_MIB = 192;

interface Kept {
  /** Copies that were asked for. */
  asked: number;
  /** `undefined` when there is none, also when it could not be made. */
  zygote: Promise<Zygote | undefined> | undefined;
  /** Copies that run or begin. */
  users: number;
  isGivenUp: boolean;
}

/**
 * The zygotes of a process that runs tests.
 *
 * The first thing each copy of a machine does is to have the same code of the guest translated again, which takes nearly all of its time until it answers. The
 * forks of a QEMU that has done so need not.
 */
export class Zygotes {
  readonly #kept = new Map<string, Kept>();
  readonly #closing = new AbortController();

  /**
   * What one more copy of a template is forked from; `undefined` when it is better made from the template: no more copies were asked for than
   * one test needs, and it needs few, or there is no room.
   *
   * @param key Of the template.
   * @param copies That the test asks for.
   * @param make Makes a zygote. When it raises something no further one is tried.
   * @throws what `make` raises, once.
   */
  async hold(key: string, copies: number, make: ZygoteMaker): Promise<HeldZygote | undefined> {
    const kept = this.#kept.get(key) ?? { asked: 0, zygote: undefined, users: 0, isGivenUp: false };
    // The one used last is the last.
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    kept.asked++;
    if (kept.isGivenUp || this.#closing.signal.aborted) return undefined;
    kept.users++;
    let zygote: Zygote | undefined;
    try {
      zygote = await (kept.zygote ?? this.#begin(kept, copies, make));
    } finally {
      if (zygote?.boot.running !== true) kept.users--;
    }
    if (zygote?.boot.running !== true) return undefined;
    return { zygote, release: once(() => kept.users--) };
  }

  /** Fork one no more: it does not work. Copies of it that run may go on. */
  giveUp(key: string): void {
    const kept = this.#kept.get(key);
    if (kept !== undefined) kept.isGivenUp = true;
  }

  /** End all, with their copies, also what is just being made. None is made afterwards. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const kept of this.#kept.values()) await end(kept);
    this.#kept.clear();
  }

  async #begin(kept: Kept, copies: number, make: ZygoteMaker): Promise<Zygote | undefined> {
    if (copies < WORTH_IT && kept.asked <= copies) return undefined;
    const others = [...this.#kept.values()].filter(({ zygote }) => zygote !== undefined);
    const idle = others.find(({ users }) => users === 0);
    if (others.length >= MOST_ZYGOTES && idle === undefined) return undefined;
    const ended = others.length >= MOST_ZYGOTES && idle !== undefined ? end(idle) : undefined;
    const made = (async () => {
      await ended;
      this.#closing.signal.throwIfAborted();
      return make(this.#closing.signal);
    })();
    // Others that wait for it make their copies in the usual way.
    kept.zygote = made.catch(() => {
      kept.isGivenUp = true;
      return undefined;
    });
    return made;
  }
}

/** A zygote that is not ended before its copy has ended. */
export interface HeldZygote {
  readonly zygote: Zygote;
  release(): void;
}

/** How a copy with these disks and cards begins, which are those of the zygote's machine in their order. */
export function forkOf({ boot, disks, nics }: Zygote, own: Pick<Zygote, "disks" | "nics">): ForkedBoot {
  const files = disks.flatMap(({ file, log }, index): Exchange[] => {
    const copy = own.disks[index];
    if (copy === undefined) return [];
    return [[file, copy.file], ...(log === undefined || copy.log === undefined ? [] : [[log, copy.log] as const])];
  });
  const cables = nics.flatMap(({ backend }, index): Exchange[] => {
    const copy = own.nics[index]?.backend;
    return backend.kind === "stream" && copy?.kind === "stream" ? [[backend.socket, copy.socket]] : [];
  });
  return {
    forked: boot.machine,
    exchanges: [...files, ...cables],
    console: Buffer.from(boot.console.raw()),
    journal: Buffer.from(boot.journal.raw()),
  };
}

/** End a zygote, with its copies. */
async function end(kept: Kept): Promise<void> {
  // Whoever asks while it ends is not to get it, nor to end it once more.
  const ending = kept.zygote;
  kept.zygote = undefined;
  kept.asked = 0;
  const zygote = await ending;
  if (zygote === undefined) return;
  await zygote.boot.machine.cutPower();
  await zygote.boot.over;
  zygote.release();
}
