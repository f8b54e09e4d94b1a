import { readFileSync } from "node:fs";
import { readCpuSeconds, type VirtualMachine } from "qemu-wrapper";

/**
 * What a boot of a machine has used since its QEMU began; memory is what it holds now and nobody else does: pages of files that QEMU maps, among
 * them those of a template, are not counted.
 */
export interface Usage {
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  /** What the guest read from its disks, and wrote to them. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

interface BlockStatistics {
  readonly stats: { readonly rd_bytes: number; readonly wr_bytes: number };
}

/** `undefined` when the machine is gone, or on a host without /proc. */
export async function readUsage(machine: VirtualMachine): Promise<Usage | undefined> {
  const { pid } = machine.process;
  const cpuSeconds = readCpuSeconds(pid);
  const memoryBytes = readMemoryBytes(pid);
  if (cpuSeconds === undefined || memoryBytes === undefined) return undefined;
  try {
    const disks = (await machine.qmp.command("query-blockstats")) as readonly BlockStatistics[];
    return {
      cpuSeconds,
      memoryBytes,
      readBytes: disks.reduce((sum, { stats }) => sum + stats.rd_bytes, 0),
      writtenBytes: disks.reduce((sum, { stats }) => sum + stats.wr_bytes, 0),
    };
  } catch {
    // It ended while we asked.
    return undefined;
  }
}

/**
 * Source: proc_pid_status(5), "RssAnon", which the kernel counts as it goes. A share of common pages ("Pss") would have to be found by walking over
 * all pages: 30 to 50 ms each time on a busy host, in which neither this process nor the guest could go on.
 */
function readMemoryBytes(pid: number): number | undefined {
  try {
    const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "ascii"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
