import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 4;

/**
 * Peak resident size in MiB of the evaluator's process while something runs, as the kernel has it. Looked at while it lives, so
 * what it takes in its last milliseconds may be missed.
 */
export async function peakOfEvaluator(run: () => Promise<unknown>): Promise<number> {
  let peakKiB = 0;
  const timer = setInterval(() => {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      const size = peakOf(pid);
      if (size !== undefined && size > peakKiB) peakKiB = size;
    }
  }, EVERY_MS);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return peakKiB / 1024;
}

/** `undefined` for other programs, and those that ended in between. */
function peakOf(pid: string): number | undefined {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const isEvaluator =
      command.includes("--permission") && /\/(evaluator\.cjs|child\/main\.ts)$/.test(command.at(-2) ?? "");
    // bubblewrap has it among its arguments.
    if (!isEvaluator || command[0]?.endsWith("/node") !== true) return undefined;
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}
