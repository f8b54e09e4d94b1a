import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../base/index.ts";
import { lockFile } from "../local-store/index.ts";

/** How many processes may lock files for us at once. */
const LOCKS_AT_ONCE = 16;

export interface TemporaryRoot {
  /** What the process relies on, as it wrote it down; valid or not. */
  readonly path: string;
  /** The process, in its own numbering. */
  readonly pid: string;
}

export interface ReadTemporaryRootsOptions {
  /** Take away the files of processes that are gone. */
  readonly sweep: boolean;
}

/**
 * The temporary roots of all processes that live. Complete only while the collector's lock is held and the socket is open.
 *
 * @throws {CodedError} `gc.unreadable-roots` when a process of somebody else has roots that we may not see
 *
 * Source: Nix, `LocalStore::findTempRoots`.
 */
export async function readTemporaryRoots(
  stateDirectory: string,
  { sweep }: ReadTemporaryRootsOptions,
): Promise<TemporaryRoot[]> {
  const folder = join(stateDirectory, "temproots");
  const files = listFiles(folder);
  const roots: TemporaryRoot[] = [];
  for (let at = 0; at < files.length; at += LOCKS_AT_ONCE) {
    const some = files.slice(at, at + LOCKS_AT_ONCE);
    const read = await Promise.all(some.map((pid) => readOne(join(folder, pid), sweep)));
    for (const [index, paths] of read.entries()) {
      for (const path of paths) roots.push({ path, pid: some[index] as string });
    }
  }
  return roots;
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith("."));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function readOne(file: string, sweep: boolean): Promise<string[]> {
  const fd = open(file, sweep ? constants.O_RDWR : constants.O_RDONLY);
  if (fd === undefined) return [];
  try {
    // The owner holds the lock for as long as it lives.
    if (await lockFile(fd, "exclusive", { wait: false })) {
      if (sweep) {
        rmSync(file, { force: true });
        // A process that opened it and waits for the lock sees that it is nobody's any more.
        mark(fd);
      }
      return [];
    }
    // What follows the last NUL is being written, and not relied on before we have heard of it through the socket.
    return readFileSync(fd, "latin1").split("\0").slice(0, -1);
  } finally {
    closeSync(fd);
  }
}

function mark(fd: number): void {
  try {
    writeSync(fd, "d");
  } catch {
    // The disk is full. Nix does not see the mark then, we look whether the file still has a name.
  }
}

function open(file: string, mode: number): number | undefined {
  try {
    return openSync(file, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code !== "EACCES" && code !== "EPERM") throw error;
    throw new CodedError(
      "gc.unreadable-roots",
      `Cannot read the temporary roots in "${file}": they are somebody else's`,
      {
        hint: "Collect a store that several users write to as the user who owns it (root).",
        cause: error,
      },
    );
  }
}
