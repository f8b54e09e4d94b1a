import { fstatSync, read, readSync } from "node:fs";
import { availableMiB } from "../available-memory.ts";
import { SPARE_MEMORY, SPARE_QUESTION } from "../protocol.ts";

const CHUNK_BYTES = 1 << 16;
/** How often it is looked whether there is still a use for it. */
const LOOK_MS = 5_000;
/** How often it works while it waits, and with what time for others in between. */
const IDLE_ROUNDS = 12;
const IDLE_PAUSE_MS = 15;
/** A machine with less memory at hand needs it for something else. */
const MIN_AVAILABLE_MIB = 512;

export interface WaitOptions {
  /** How long to wait. */
  readonly seconds: number;
  /** Whether it still has a use; asked now and then. */
  readonly isOfUse: () => boolean;
  /** Done a few times while nobody asks, in small parts. */
  readonly idle: () => void;
  /** @returns whether it is to wait on, for a line that comes later. */
  readonly onLine: (line: string) => boolean;
}

/**
 * Wait for lines of the pipe, whose other end nobody may have opened yet. The process ends where they come too late, where the pipe was
 * removed, and where the machine is short of memory.
 */
export function waitForQuestion({ seconds, isOfUse, idle, onLine }: WaitOptions): void {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  const chunks: Buffer[] = [];
  const until = performance.now() + seconds * 1000;
  const timer = setInterval(
    () => {
      const isWanted = performance.now() < until && fstatSync(SPARE_QUESTION).nlink > 0 && isOfUse();
      // Ended from outside, so to say: an orderly end would wait for the read.
      if (!isWanted || availableMiB(readMemory()) < MIN_AVAILABLE_MIB) process.kill(process.pid, "SIGKILL");
    },
    Math.min(LOOK_MS, seconds * 1000),
  );
  let rounds = 0;
  const work = (): void => {
    idle();
    if (++rounds < IDLE_ROUNDS) idling = setTimeout(work, IDLE_PAUSE_MS);
  };
  let idling = setTimeout(work, IDLE_PAUSE_MS);
  const next = (): void =>
    read(SPARE_QUESTION, chunk, 0, CHUNK_BYTES, null, (error, size) => {
      if (error !== null) throw error;
      let from = 0;
      for (let end = chunk.indexOf("\n"); end >= 0 && end < size; end = chunk.indexOf("\n", from)) {
        chunks.push(chunk.subarray(from, end));
        const line = Buffer.concat(chunks.splice(0)).toString("utf8");
        from = end + 1;
        if (onLine(line)) continue;
        clearTimeout(idling);
        return clearInterval(timer);
      }
      chunks.push(Buffer.from(chunk.subarray(from, size)));
      next();
    });
  next();
}

/** The descriptor is that of the file `/proc/meminfo`, which says each time what is so now. */
function readMemory(): string {
  const bytes = Buffer.alloc(4096);
  return bytes.toString("latin1", 0, readSync(SPARE_MEMORY, bytes, 0, bytes.length, 0));
}
