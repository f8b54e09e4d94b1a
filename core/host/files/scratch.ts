import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { CodedError } from "../../base/index.ts";
import { removeTree } from "./write.ts";

const PREFIX = ".floe-scratch-";
/** In each such folder: locked as long as its owner lives. */
const LOCK = "owner";
/** A folder that is swept before it is locked is bad luck; so many are not. */
const MOST_TRIES = 20;

/** A folder of this process; the lock lasts as long as it is held here. */
interface OwnFolder {
  readonly folder: string;
  readonly lock: DatabaseSync;
}

/** All such folders of this process. */
const own = new Set<OwnFolder>();
/** Those for temporary files, by where these go. */
const forTemporaryFiles = new Map<string, OwnFolder>();

/**
 * A new empty folder for temporary files; who makes it removes it. What a process that is killed leaves is found and removed by
 * {@link sweepScratch}.
 *
 * Users of builds may pass through what it lies in; the folder itself is ours alone.
 *
 * @param name What it is for; its name begins so.
 * @throws {CodedError} `files.no-scratch`
 */
export function makeScratch(name: string): string {
  const directory = tmpdir();
  let known = forTemporaryFiles.get(directory);
  if (known === undefined || !existsSync(known.folder)) {
    known = makeOwnFolder(directory);
    chmodSync(known.folder, 0o711);
    forTemporaryFiles.set(directory, known);
  }
  return mkdtempSync(join(known.folder, `${name}-`));
}

/** A folder beside something that is being made, and moved into its place from there. */
export interface ScratchBeside extends Disposable {
  /** It has one file, the lock. */
  readonly path: string;
}

/**
 * A new folder in a directory, to make something in that is to lie there: both are on one file system. It goes with what it still holds when it is
 * disposed of; what killed processes have left in that directory goes now.
 *
 * @throws {CodedError} `files.no-scratch`
 */
export function makeScratchIn(directory: string): ScratchBeside {
  sweepScratch(directory);
  const made = makeOwnFolder(directory);
  return { path: made.folder, [Symbol.dispose]: () => leave(made) };
}

/** Remove what processes of this user left that are dead: whoever has no lock on its folder any more. How old it is says nothing. */
export function sweepScratch(directory: string = tmpdir()): void {
  const ours = new Set([...own].map(({ folder }) => folder));
  for (const name of namesIn(directory)) {
    const folder = join(directory, name);
    if (!name.startsWith(PREFIX) || ours.has(folder)) continue;
    try {
      // Of a folder of somebody else nothing is opened: it may hold anything.
      const stat = lstatSync(folder);
      if (!stat.isDirectory() || stat.uid !== process.geteuid?.()) continue;
      using lock = tryLock(join(folder, LOCK));
      if (lock !== undefined) removeTree(folder);
    } catch {
      // Somebody else removes it now, or a builder's users still own a part of it: another sweep may find more.
    }
  }
}

/** Nothing where the directory is missing or cannot be listed: what was done before the sweep is done all the same. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function makeOwnFolder(directory: string): OwnFolder {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const folder = mkdtempSync(join(directory, PREFIX));
    const lock = tryLock(join(folder, LOCK));
    // Between these lines it may be swept: then it has no lock, or the lock has no name.
    if (lock === undefined || !existsSync(join(folder, LOCK))) {
      lock?.close();
      continue;
    }
    if (!isLeftAtExit) process.once("exit", () => own.forEach(leave));
    isLeftAtExit = true;
    const made = { folder, lock };
    own.add(made);
    return made;
  }
  throw new CodedError(
    "files.no-scratch",
    `Cannot make a folder for temporary files in "${directory}": no file there could be locked`,
    {
      hint: "Let TMPDIR name a directory of this machine's own disk; too many open files (ulimit -n) show like this as well.",
    },
  );
}

let isLeftAtExit = false;

function leave(made: OwnFolder): void {
  try {
    removeTree(made.folder);
  } catch {
    // What a builder still has of it is for the next sweep.
  }
  made.lock.close();
  own.delete(made);
}

/**
 * Take a lock that goes with this process, however that ends; `undefined` when another process has it, or removes its file.
 *
 * Node cannot lock files, but the database it has does so, without starting a program as `flock` is one. Nothing is written.
 */
function tryLock(file: string): DatabaseSync | undefined {
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(file, { timeout: 0 });
    lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    return lock;
  } catch {
    lock?.close();
    return undefined;
  }
}
