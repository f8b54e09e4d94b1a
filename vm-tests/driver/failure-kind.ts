/** Codes of what failed on the host's side: nothing of it speaks about the machines or the story. */
const OF_THE_HOST = /^(?:qemu|qmp)\.|^machine\.(?:qemu-died|host-disk-full|no-host-memory)$|^vm-test\.records-full$/;

/**
 * Whether a failure is one of the place where tests run (QEMU died, no room, no memory) in place of one of what is tested. Trying again is
 * then no way of hiding a fault.
 */
export function isInfrastructure(code: string): boolean {
  return OF_THE_HOST.test(code);
}
