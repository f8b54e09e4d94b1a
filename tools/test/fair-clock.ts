import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** What a host is asked. */
export interface HostLoad {
  /** Seconds, of any beginning. */
  now(): number;
  /** How many others want a processor at this moment. */
  wanting(): number;
  readonly processors: number;
}

/**
 * A clock for limits that a busy host shall not bring nearer: of a second in which eight want two processors a quarter counts, since nobody had more
 * of it. {@link MOST} times the limit on the host's own clock ends the wait in any case.
 */
export class FairClock {
  readonly #host: HostLoad;
  readonly #begin: number;
  #last: number;
  #seconds = 0;

  constructor(host: HostLoad = thisHost) {
    this.#host = host;
    this.#begin = this.#last = host.now();
  }

  /** Look at the host, once a second or so. @returns whether that many seconds are over. */
  isOver(seconds: number): boolean {
    const now = this.#host.now();
    const { processors } = this.#host;
    this.#seconds += (now - this.#last) * Math.min(1, processors / this.#host.wanting());
    this.#last = now;
    return this.#seconds >= seconds || now - this.#begin >= MOST * seconds;
  }
}

/** How much longer than its limit something may take. */
export const MOST = 10;

const thisHost: HostLoad = {
  now: () => performance.now() / 1000,
  wanting: () => countRunning() - 1,
  processors: availableParallelism(),
};

/** Tasks that run or could, this one among them. Source: proc_stat(5), procs_running. */
function countRunning(): number {
  try {
    return Number(/^procs_running (\d+)$/m.exec(readFileSync("/proc/stat", "ascii"))?.[1] ?? 1);
  } catch {
    return 1;
  }
}
