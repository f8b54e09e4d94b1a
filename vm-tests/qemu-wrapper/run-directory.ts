import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A private folder for the sockets of one machine. */
export interface RunDirectory {
  readonly path: string;
  /** Remove the folder and what is in it. */
  remove(): void;
}

/** A socket's path may have about 104 bytes; this leaves room for the longest name used inside the folder. */
const LONGEST_FOLDER = 60;

/** Make a folder with a short path that only this user may enter. */
export function makeRunDirectory(parent: string = tmpdir()): RunDirectory {
  const short = Buffer.byteLength(parent) > LONGEST_FOLDER ? "/tmp" : parent;
  const path = mkdtempSync(join(short, "floe-vm-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
