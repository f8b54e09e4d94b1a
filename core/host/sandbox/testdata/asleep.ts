import { readdirSync, readFileSync } from "node:fs";

/** A command that no other process of tests has, of which there may be several at once: they look for it, and end it, among all processes. */
export function asleep(which: number): string {
  return `sleep ${10 * process.pid + which}`;
}

/** Processes with such a command line, of any owner. */
export function processesOf(command: string | RegExp): number[] {
  return readdirSync("/proc")
    .filter((pid) => {
      try {
        if (!/^\d+$/.test(pid)) return false;
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return typeof command === "string" ? words === command : command.test(words);
      } catch {
        // It has ended.
        return false;
      }
    })
    .map(Number);
}
