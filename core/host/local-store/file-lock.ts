import { spawn, spawnSync } from "node:child_process";
import { CodedError } from "../../base/index.ts";

export type LockMode = "shared" | "exclusive";

/** Status of `flock -n` when somebody else has the lock. */
const TAKEN_STATUS = 75;

function flags(mode: LockMode, wait: boolean): string[] {
  return [mode === "shared" ? "-s" : "-x", ...(wait ? [] : ["-n", "-E", String(TAKEN_STATUS)]), "3"];
}

function outcome(status: number | null, error: Error | undefined): boolean {
  if (status === 0) return true;
  if (status === TAKEN_STATUS) return false;
  throw new CodedError(
    "store.no-flock",
    `Cannot lock a file of the store: flock ended with ${error?.message ?? `status ${status}`}`,
    {
      hint: "The program “flock” of util-linux must be on the PATH.",
      cause: error,
    },
  );
}

/**
 * Take an advisory lock (`flock`) on an open file. It is released when the file is closed.
 *
 * Node cannot call `flock`, but the lock belongs to the open file and not to the process: the program `flock`, given our
 * descriptor, takes it for us and ends. A lock that is held is changed to the new mode.
 *
 * @returns Whether we have the lock; without `wait` it may be taken.
 * @throws {CodedError} `store.no-flock`
 */
export function lockFileSync(fd: number, mode: LockMode, { wait }: { readonly wait: boolean }): boolean {
  const { status, error } = spawnSync("flock", flags(mode, wait), { stdio: ["ignore", "ignore", "ignore", fd] });
  return outcome(status, error);
}

/** {@link lockFileSync} that leaves the process free while it waits. */
export function lockFile(
  fd: number,
  mode: LockMode,
  { wait, signal }: { readonly wait: boolean; readonly signal?: AbortSignal | undefined },
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn("flock", flags(mode, wait), {
      stdio: ["ignore", "ignore", "ignore", fd],
      ...(signal === undefined ? {} : { signal }),
    });
    const settle = (status: number | null, error?: Error): void => {
      try {
        signal?.throwIfAborted();
        resolve(outcome(status, error));
      } catch (fault) {
        reject(fault);
      }
    };
    child.on("error", (error) => settle(null, error));
    child.on("close", (status) => settle(status));
  });
}
