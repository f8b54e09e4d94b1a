/** Codes of what failed on the host's side: nothing of it speaks about the machines or the story. */
const OF_THE_HOST =
  /^(?:qemu|qmp)\.|^machine\.(?:qemu-died|host-disk-full|no-host-memory|port-taken)$|^vm-test\.records-full$/;

/** What QEMU says of a state that it cannot write down or go on from: it says the same of that machine each time. */
const OF_ITS_STATE = /^(?:qmp\.refused|qemu\.not-(?:frozen|migratable|restored))$/;

/**
 * Whether a failure is one of the place where tests run (QEMU died, no room, no memory, a port that is taken) in place of one of what is
 * tested. Trying again is then no way of hiding a fault.
 */
export function isInfrastructure(code: string): boolean {
  return OF_THE_HOST.test(code);
}

/**
 * Whether a failure may be the reason, for good, why a machine is not copied. What befell the host is none: the next boot knows nothing of it. No
 * story is told while a machine is booted to be copied, so what it is said to have thrown is a call to the host that failed, such as a write.
 */
export function isReasonNotToCopy(code: string): boolean {
  if (code === "story.threw") return false;
  return !isInfrastructure(code) || OF_ITS_STATE.test(code);
}
