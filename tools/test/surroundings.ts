import { chmodSync, mkdirSync, mkdtempSync, readFileSync, statfsSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { ROOT } from "../checks/source-tree.ts";

/** What tests keep between runs: code without types and compiled, by Node, and how long each file took. */
export const CACHE = join(ROOT, "node_modules/.cache/floe-tests");

const MEMORY = "/dev/shm";
/** All files of tests at once take less than a tenth of it. */
const MEMORY_BYTES = 4 * 1024 ** 3;

/** Where test files run. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A folder to remove at the end, with what tests that were stopped left there. */
  readonly temporary: string | undefined;
}

/**
 * Temporary files in memory, where there is room: what tests write is gone a second later, and a disk that is made to
 * have each of it is most of what they would wait for. What a power cut loses is seen in machines (vm-tests/), not here.
 */
export function makeSurroundings(): Surroundings {
  const temporary = hasRoom() ? mkdtempSync(join(MEMORY, "floe-")) : undefined;
  // As /tmp is.
  if (temporary !== undefined) chmodSync(temporary, 0o1777);
  return { env: testEnvironment(temporary), temporary };
}

function testEnvironment(temporary: string | undefined): Record<string, string | undefined> {
  const compiled = join(CACHE, "compiled");
  mkdirSync(compiled, { recursive: true });
  return {
    ...process.env,
    NO_COLOR: "1",
    FORCE_COLOR: undefined,
    // For the children of tests, too: to start is most of what they do.
    NODE_COMPILE_CACHE: compiled,
    ...(temporary === undefined ? {} : { TMPDIR: temporary }),
  };
}

/** Builders run programs there, and other users may have to enter. */
function hasRoom(): boolean {
  try {
    const mount = readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .map((line) => line.split(" "))
      .findLast(([, place]) => place === MEMORY);
    if (mount?.[2] !== "tmpfs" || mount[3]?.split(",").includes("noexec") !== false) return false;
    const { bavail, bsize } = statfsSync(MEMORY);
    return Math.min(bavail * bsize, freemem()) >= MEMORY_BYTES;
  } catch {
    return false;
  }
}
