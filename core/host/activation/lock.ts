import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../base/index.ts";

/**
 * Hold the lock of switches while something runs.
 *
 * It is a lock of the kernel on an open file, and so ends with the process however that ends. Node has no call
 * for it: `flock` takes the lock on a descriptor that it shares with us, and it stays when `flock` has ended.
 *
 * @throws {CodedError} `system.locked` when another switch is running; `system.cannot-run` without `flock`.
 */
export function withSwitchLock<Result>(directory: string, run: () => Result): Result {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "switch.lock");
  const file = openSync(path, "a");
  try {
    const env = { ...process.env, PATH: `/run/current-system/sw/bin:${process.env["PATH"] ?? ""}` };
    const done = spawnSync("flock", ["--nonblock", "3"], { env, stdio: ["ignore", "ignore", "inherit", file] });
    if (done.error !== undefined) {
      throw new CodedError("system.cannot-run", `Cannot run "flock": ${done.error.message}`, { cause: done.error });
    }
    if (done.status !== 0) {
      throw new CodedError("system.locked", `Cannot switch: another switch holds "${path}"`, {
        hint: "Wait until it has ended, then try again.",
      });
    }
    return run();
  } finally {
    closeSync(file);
  }
}
