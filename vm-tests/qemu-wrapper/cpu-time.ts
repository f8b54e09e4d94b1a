import { readdirSync, readFileSync } from "node:fs";

/** Kernel ticks per second of the times in /proc; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds a process has used, in user and kernel; `undefined` when it is gone or the host has no /proc. */
export function readCpuSeconds(pid: number): number | undefined {
  const fields = readStat(pid);
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Whether a process has been stopped by a signal such as SIGSTOP. */
export function isStopped(pid: number): boolean {
  return readStat(pid)?.[0] === "T";
}

/**
 * Seconds each thread of a process has stood in the run queue, ready and without a processor, by thread id.
 *
 * Source: Linux, Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat". Empty where that is not compiled in.
 */
export function readRunDelays(pid: number): ReadonlyMap<string, number> {
  const delays = new Map<string, number>();
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [, waited] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "ascii").split(" ");
      delays.set(thread, Number(waited) / 1e9);
    }
  } catch {
    // The process or one of its threads ended while we looked.
  }
  return delays;
}

/** Fields of /proc/PID/stat from the third (state) on; the second may hold spaces and brackets. */
function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "ascii");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
