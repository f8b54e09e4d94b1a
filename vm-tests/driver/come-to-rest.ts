import { setTimeout as sleep } from "node:timers/promises";
import { readCpuSeconds } from "qemu-wrapper";
import { Deadline, type GuestClock, type GuestTime } from "./deadline.ts";

/** Within so many seconds of the guest a machine comes to rest or not at all. */
const LIMIT_SECONDS = 30;

/** So many seconds of the guest it has to be at rest. */
const REST_SECONDS = 1;

/** The most of a processor that it uses then. An idle kernel's timer takes 0.03. */
const REST_LOAD = 0.1;

const LOOK_MS = 100;

/**
 * Wait until nothing goes on in a machine any more: a journal that is still passed on, units that end. A machine that does not come to rest is left as it is, and so
 * is one whose host does not tell what QEMU uses.
 *
 * @param pid Of its QEMU.
 * @param signal Aborted when the machine cannot go on.
 * @throws the signal's reason.
 */
export async function comeToRest(pid: number, clock: GuestClock, signal: AbortSignal): Promise<void> {
  const deadline = new Deadline(LIMIT_SECONDS, clock);
  let [from, before] = [clock(), readCpuSeconds(pid)];
  while (before !== undefined && !deadline.expired) {
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    // A machine that the host gives no processor is none at rest.
    const [now, used] = [clock(), readCpuSeconds(pid)];
    if (used === undefined || guestSeconds(from, now) < REST_SECONDS) continue;
    if (used - before <= REST_LOAD * guestSeconds(from, now)) return;
    [from, before] = [now, used];
  }
}

function guestSeconds(from: GuestTime, to: GuestTime): number {
  return to.wallSeconds - from.wallSeconds - (to.starvedSeconds - from.starvedSeconds);
}
