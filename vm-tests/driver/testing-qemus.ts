import { readdirSync, readFileSync } from "node:fs";

/** Process ids of the QEMUs that run and that a process has started. Default: this one. */
export function ownQemus(parent = process.pid): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, "ascii");
        if (/^State:\s+[ZX]/m.test(status) || !status.startsWith("Name:\tqemu")) return false;
        return Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]) === parent;
      } catch {
        // It ended while we looked.
        return false;
      }
    })
    .map(Number);
}
