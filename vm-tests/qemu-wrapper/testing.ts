import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./programs.ts";

/** Whether real machines can be started here; says once when not. */
export const HAS_QEMU = findProgram("qemu-system-x86_64") !== undefined;

if (!HAS_QEMU) console.log("skipped what needs QEMU: qemu-system-x86_64 is not installed");

const TICK_MS = 20;

/**
 * Whether something is so within a time that a busy host makes no shorter. It is counted in ticks, each of which lasts until a process that was started
 * for it, and killed, is gone: where that takes long, another one may take as much longer.
 *
 * @param ms Milliseconds on a quiet host.
 */
export async function isSoWithin(ms: number, isSo: () => boolean): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < ms; waitedMs += TICK_MS) {
    if (isSo()) return true;
    await Promise.all([sleep(TICK_MS), startAndKill()]);
  }
  return isSo();
}

async function startAndKill(): Promise<void> {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
