import { fstatSync, read, readSync } from "node:fs";
import { availableMiB } from "../available-memory.ts";
import { SPARE_MEMORY, SPARE_QUESTION } from "../protocol.ts";

const CHUNK_BYTES = 1 << 16;
/** How often it is looked whether there is still a use for it. */
const LOOK_MS = 5_000;
/** A machine with less memory at hand needs it for something else. */
const MIN_AVAILABLE_MIB = 512;

export interface WaitOptions {
  /** How long to wait. */
  readonly seconds: number;
  /** Whether it still has a use; asked now and then. */
  readonly isOfUse: () => boolean;
  readonly onQuestion: (line: string) => void;
}

/**
 * Wait for a line of the pipe, whose other end nobody may have opened yet. The process ends where it comes too late, where the pipe was
 * removed, and where the machine is short of memory.
 */
export function waitForQuestion({ seconds, isOfUse, onQuestion }: WaitOptions): void {
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
  const next = (): void =>
    read(SPARE_QUESTION, chunk, 0, CHUNK_BYTES, null, (error, size) => {
      if (error !== null) throw error;
      const end = chunk.subarray(0, size).indexOf("\n");
      chunks.push(Buffer.from(chunk.subarray(0, end < 0 ? size : end)));
      if (end < 0) return next();
      clearInterval(timer);
      onQuestion(Buffer.concat(chunks).toString("utf8"));
    });
  next();
}

/** The descriptor is that of the file `/proc/meminfo`, which says each time what is so now. */
function readMemory(): string {
  const bytes = Buffer.alloc(4096);
  return bytes.toString("latin1", 0, readSync(SPARE_MEMORY, bytes, 0, bytes.length, 0));
}
