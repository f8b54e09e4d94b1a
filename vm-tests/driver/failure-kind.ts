/** Codes of what failed on the host's side: nothing of it speaks about the machines or the story. */
const OF_THE_HOST: ReadonlySet<string> = new Set([
  "machine.host-disk-full",
  "machine.no-host-memory",
  "machine.port-taken",
  "machine.qemu-died",
  "qemu.missing",
  "qemu.no-hvf",
  "qemu.no-kvm",
  "qemu.no-memory",
  "qemu.no-socket",
  "qemu.not-forkable",
  "qemu.not-forked",
  "qemu.not-started",
  "qemu.overlay-failed",
  "qemu.state-lost",
  "qmp.closed",
  "vm-test.records-full",
]);

/**
 * Whether a failure is one of the place where tests run (QEMU died, no room, no memory, a port that is taken) in place of one of what is
 * tested. Trying again is then no way of hiding a fault. What QEMU refuses is none: it says the same each time.
 */
export function isInfrastructure(code: string): boolean {
  return OF_THE_HOST.has(code);
}

/**
 * Whether a failure may be the reason, for good, why a machine is not copied. What befell the host is none: the next boot knows nothing of it. No
 * story is told while a machine is booted to be copied, so what it is said to have thrown is a call to the host that failed, such as a write.
 */
export function isReasonNotToCopy(code: string): boolean {
  return code !== "story.threw" && !isInfrastructure(code);
}
