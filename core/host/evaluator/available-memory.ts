/** What may still be had of the machine's memory, in MiB. @param meminfo The text of `/proc/meminfo`. */
export function availableMiB(meminfo: string): number {
  const [, kib = "Infinity"] = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo) ?? [];
  return Number(kib) / 1024;
}
