import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isGone, ownMark } from "./process-mark.ts";

/** A private folder for the sockets of one machine. */
export interface RunDirectory {
  readonly path: string;
  /** Remove the folder and what is in it. */
  remove(): void;
}

/** A socket's path may have about 104 bytes; this leaves room for the longest name used inside the folder. */
const LONGEST_FOLDER = 60;

const PREFIX = "floe-vm-";

/** File of a folder that says whose it is. */
const OWNER = "owner";

/** A folder without that file, or with an empty one, is being made, or its maker was killed just then; that takes no hour. */
const HOUR_MS = 3_600_000;

const swept = new Set<string>();

/** Make a folder with a short path that only this user may enter. Those of processes that were killed are removed before. */
export function makeRunDirectory(parent: string = tmpdir()): RunDirectory {
  const short = Buffer.byteLength(parent) > LONGEST_FOLDER ? "/tmp" : parent;
  if (!swept.has(short)) sweep(short);
  swept.add(short);
  const path = mkdtempSync(join(short, PREFIX));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  try {
    writeFileSync(join(path, OWNER), ownMark());
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}

/** Remove the folders of this user whose processes are gone. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(PREFIX))) {
    const path = join(parent, name);
    try {
      const info = lstatSync(path);
      if (!info.isDirectory() || info.uid !== process.getuid?.()) continue;
      const mark = readMark(path);
      if (mark !== undefined && isGone(mark)) rmSync(path, { recursive: true, force: true });
      else if (mark === undefined && Date.now() - info.mtimeMs > HOUR_MS) {
        rmSync(join(path, OWNER), { force: true });
        rmdirSync(path);
      }
    } catch {
      // Another process removes it as well, or it is none of ours after all: what is in the way of sweeping is in nobody's way.
    }
  }
}

/** The mark in a folder; one that is about to be written is none. */
function readMark(path: string): string | undefined {
  try {
    return readFileSync(join(path, OWNER), "utf8") || undefined;
  } catch {
    return undefined;
  }
}
