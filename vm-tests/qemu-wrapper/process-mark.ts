import { readFileSync, readlinkSync } from "node:fs";

/**
 * What tells this process from all others, also from later ones with its number.
 *
 * Shape: on Linux `BOOT NAMESPACE PID START`, the boot's id, the namespace in which the number counts, and the clock ticks at which the process
 * began; elsewhere `- - PID -`.
 */
export function ownMark(): string {
  return [bootId(), pidNamespace(), process.pid, startOf(process.pid) ?? "-"].join(" ");
}

/** Whether the process with a mark is certainly not there any more. */
export function isGone(mark: string): boolean {
  const [boot, namespace, pid = "", start] = mark.split(" ");
  if (start === undefined || !/^[1-9]\d*$/.test(pid)) return false;
  if (boot !== bootId()) return true;
  // Numbers of another namespace say nothing here.
  if (namespace !== pidNamespace()) return false;
  if (start !== "-") return startOf(Number(pid)) !== start;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function bootId(): string {
  return tryRead(() => readFileSync("/proc/sys/kernel/random/boot_id", "ascii").trim()) ?? "-";
}

function pidNamespace(): string {
  return tryRead(() => readlinkSync("/proc/self/ns/pid")) ?? "-";
}

/**
 * When a process began, in clock ticks since the host did; `undefined` when it is not there, or not on Linux. With its number that tells it from
 * all others; one that has ended tells it still, until its parent has waited for it.
 *
 * Source: proc_pid_stat(5), field 22; what comes before the last parenthesis is a name, in which anything may be.
 */
export function startOf(pid: number): string | undefined {
  return tryRead(
    () =>
      readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ")[19],
  );
}

function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
