import { readFileSync } from "node:fs";
import { isStopped, readCpuSeconds, readRunDelays } from "qemu-wrapper";

/** Time as a guest lives it. Both figures only grow. */
export interface GuestTime {
  /** Seconds on the host's clock. */
  readonly wallSeconds: number;
  /** Those of them in which the guest had work to do and the host gave it no processor. */
  readonly starvedSeconds: number;
}

/** Tells {@link GuestTime}; each call is a sample. */
export type GuestClock = () => GuestTime;

/** The hard limit in seconds of the host, as a multiple of the seconds of the guest. */
export const WALL_FACTOR = 20;

/**
 * An end to waiting that a busy host cannot bring nearer.
 *
 * Seconds in which the guest was starved do not count, so a slow run is not a failed one; a guest that hangs, idle or
 * spinning, uses up its seconds at the usual pace. {@link WALL_FACTOR} times the seconds on the host's clock end the wait in any case.
 */
export class Deadline {
  readonly seconds: number;
  readonly #clock: GuestClock;
  readonly #begin: GuestTime;

  constructor(seconds: number, clock: GuestClock) {
    this.seconds = seconds;
    this.#clock = clock;
    this.#begin = clock();
  }

  /** Seconds spent so far, of the guest and of the host. */
  spent(): { readonly guestSeconds: number; readonly wallSeconds: number } {
    const now = this.#clock();
    const wallSeconds = now.wallSeconds - this.#begin.wallSeconds;
    const starved = now.starvedSeconds - this.#begin.starvedSeconds;
    return { guestSeconds: Math.max(0, wallSeconds - starved), wallSeconds };
  }

  get expired(): boolean {
    const { guestSeconds, wallSeconds } = this.spent();
    return guestSeconds >= this.seconds || wallSeconds >= this.seconds * WALL_FACTOR;
  }

  /** `60 s of guest time (75 s on the clock)`. */
  show(): string {
    const { guestSeconds, wallSeconds } = this.spent();
    return `${guestSeconds.toFixed(1)} s of guest time (${wallSeconds.toFixed(1)} s on the clock)`;
  }
}

/**
 * A clock that watches one QEMU process: time in which it is stopped, in which its threads stand in the host's run queue, or
 * in which the host itself is deprived of its processors by a hypervisor (steal) counts as starvation.
 */
export function qemuClock(pid: number): GuestClock {
  let last = sample(pid);
  let starvedSeconds = 0;
  return () => {
    const now = sample(pid);
    starvedSeconds += starvedBetween(last, now);
    last = now;
    return { wallSeconds: now.wallSeconds, starvedSeconds };
  };
}

/** Readings of one moment. */
export interface HostSample {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  /** Seconds in the run queue, by thread. */
  readonly runDelays: ReadonlyMap<string, number>;
  readonly stopped: boolean;
  /** Processor time of the whole host, stolen and used. */
  readonly stolen: number;
  readonly used: number;
}

/** Seconds between two samples in which the guest was starved: at most all of them. */
export function starvedBetween(before: HostSample, after: HostSample): number {
  const wall = after.wallSeconds - before.wallSeconds;
  if (after.stopped && before.stopped) return wall;
  let queued = 0;
  for (const [thread, delay] of after.runDelays)
    queued = Math.max(queued, delay - (before.runDelays.get(thread) ?? delay));
  const stolen = after.stolen - before.stolen;
  const used = after.used - before.used;
  // While the guest ran, the hypervisor took the same share from it as from everybody.
  const robbed = used > 0 ? (after.cpuSeconds - before.cpuSeconds) * (stolen / used) : 0;
  return Math.min(wall, Math.max(0, queued) + Math.max(0, robbed));
}

function sample(pid: number): HostSample {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readHostTimes();
  return {
    wallSeconds: performance.now() / 1000,
    cpuSeconds: readCpuSeconds(pid) ?? 0,
    runDelays: readRunDelays(pid),
    stopped: isStopped(pid),
    stolen: steal,
    used: user + nice + system + irq + softirq,
  };
}

/** Numbers of the first line of /proc/stat; the first element is not one. */
function readHostTimes(): number[] {
  try {
    return readFileSync("/proc/stat", "ascii").split("\n", 1)[0]?.split(/\s+/).map(Number) ?? [];
  } catch {
    return [];
  }
}
