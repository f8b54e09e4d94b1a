import { readFileSync } from "node:fs";
import { readCpuSeconds, type VirtualMachine } from "qemu-wrapper";

/** What a boot of a machine has used since its QEMU began; memory is what it holds now, its share of common pages counted. */
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

function readMemoryBytes(pid: number): number | undefined {
  try {
    const kib = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "ascii"))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
