import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { lockFile } from "../local-store/index.ts";

/** What only one collection has at a time. */
export interface CollectorLock {
  /** The open file. */
  readonly fd: number;
  /** Wait until no other collection or verification runs and nobody writes down a temporary root. */
  take(options: TakeOptions): Promise<void>;
  release(): void;
}

export interface TakeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called when somebody else has it and we begin to wait. */
  readonly waiting: () => void;
}

/** The lock on `gc.lock`. From when it is taken new roots come through the socket. */
export function openCollectorLock(stateDirectory: string): CollectorLock {
  mkdirSync(stateDirectory, { recursive: true });
  const fd = openSync(join(stateDirectory, "gc.lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  return {
    fd,
    async take({ signal, waiting }) {
      if (await lockFile(fd, "exclusive", { wait: false })) return;
      waiting();
      await lockFile(fd, "exclusive", { wait: true, signal });
    },
    release: () => closeSync(fd),
  };
}
