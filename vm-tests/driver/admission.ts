import { totalmem } from "node:os";

/** What a test takes of its host while it runs. */
export interface TestNeeds {
  readonly memoryMiB: number;
}

/** QEMU itself, beside what its guest sees as memory. */
const QEMU_MIB = 128;
/** Node with the driver in it. */
const DRIVER_MIB = 192;

/** What a test needs at most: its machines may fill all of their memory. */
export function needsOf(machines: Readonly<Record<string, { readonly memoryMiB: number }>>): TestNeeds {
  const guests = Object.values(machines).reduce((sum, { memoryMiB }) => sum + memoryMiB + QEMU_MIB, 0);
  return { memoryMiB: guests + DRIVER_MIB };
}

/** Bytes of memory that machines of this host, or of the group of processes we are in, can have at most. */
export function hostMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

export interface AdmissionLimits {
  /** Tests at once; at least 1. */
  readonly jobs: number;
  /** Memory that tests at once may need together. One that needs more runs alone. */
  readonly memoryMiB: number;
}

/** Decides whether one more test may begin. */
export class Admission {
  readonly #limits: AdmissionLimits;
  #running = 0;
  #memoryMiB = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Let a test begin if it fits in; it counts as running from here on. */
  tryBegin({ memoryMiB }: TestNeeds): boolean {
    const fits = this.#running === 0 || this.#memoryMiB + memoryMiB <= this.#limits.memoryMiB;
    if (this.#running >= this.#limits.jobs || !fits) return false;
    this.#running++;
    this.#memoryMiB += memoryMiB;
    return true;
  }

  end({ memoryMiB }: TestNeeds): void {
    this.#running--;
    this.#memoryMiB -= memoryMiB;
  }
}

/**
 * Do work for each item, begun in their order, as many at once as are admitted. None overtakes one that waits for memory, so a large
 * test begins as soon as enough others have ended.
 *
 * @returns results in the order of the items.
 * @throws the first failure; nothing begins after it.
 */
export async function runAdmitted<Item, Result>(
  items: readonly Item[],
  needs: (item: Item) => TestNeeds,
  admission: Admission,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (const [index, item] of items.entries()) {
    while (failures.length === 0 && !admission.tryBegin(needs(item))) await Promise.race(running);
    if (failures.length > 0) break;
    const job = work(item)
      .then(
        (result) => void (results[index] = result),
        (error: unknown) => void failures.push(error),
      )
      .finally(() => {
        admission.end(needs(item));
        running.delete(job);
      });
    running.add(job);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return results;
}
