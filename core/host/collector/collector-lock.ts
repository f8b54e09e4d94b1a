import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../local-store/index.ts";

/** Held while a collection runs. */
export interface CollectorLock {
  release(): void;
}

export interface TakeCollectorLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when somebody else has it and we begin to wait. */
  readonly waiting: () => void;
}

/**
 * Wait until no other collection or verification runs and nobody writes down a temporary root; from then on new ones come
 * through the socket.
 */
export async function takeCollectorLock(
  stateDirectory: string,
  { signal, waiting }: TakeCollectorLockOptions,
): Promise<CollectorLock> {
  mkdirSync(stateDirectory, { recursive: true });
  const fd = openSync(join(stateDirectory, "gc.lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    if (!(await lockFile(fd, "exclusive", { wait: false }))) {
      waiting();
      await lockFile(fd, "exclusive", { wait: true, signal });
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { release: () => closeSync(fd) };
}
