import { spawn, spawnSync } from "node:child_process";
import { closeSync, fsyncSync, lstatSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { CodedError } from "../../base/index.ts";
import { hostPath, readNames } from "./host-path.ts";

/** Up to so many files are synced one by one; beyond, one `sync -f` is cheaper (0.3 ms each against about 3 ms). */
const SINGLE_SYNCS = 16;

/** Wait until a file, or the names in a directory, are on disk. */
export function syncPath(path: string): void {
  const fd = openSync(hostPath(path), "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Wait until everything written to the file system of `path` so far is on disk.
 *
 * Node has no `syncfs`; `sync -f` of coreutils and busybox calls it, which costs one process but not one call per file.
 *
 * @throws {CodedError} `files.sync-failed`
 */
export function syncFilesystem(path: string): void {
  const { status, error, stderr } = spawnSync("sync", ["-f", path], {
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status !== 0) throw syncFailed(path, error?.message ?? (stderr.trim() || `status ${status}`), error);
}

/** {@link syncFilesystem} that leaves the process free meanwhile: with much unwritten data it takes seconds. */
export function syncFilesystemLater(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("sync", ["-f", path], { stdio: ["ignore", "ignore", "pipe"] });
    let words = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      words += text;
    });
    child.on("error", (error) => reject(syncFailed(path, error.message, error)));
    child.on("close", (status) =>
      status === 0 ? resolve() : reject(syncFailed(path, words.trim() || `status ${status}`)),
    );
  });
}

function syncFailed(path: string, found: string, cause?: unknown): CodedError {
  return new CodedError("files.sync-failed", `Cannot write "${path}" to disk: sync -f ended with ${found}`, { cause });
}

/**
 * Wait until complete trees are on disk, together with their names in `directory`. A few files are synced alone, so that a
 * small object does not wait for everything else the machine is writing.
 *
 * @throws {CodedError} `files.sync-failed`
 */
export function syncTrees(paths: readonly string[], directory: string): void {
  const files = fewFiles(paths);
  if (files === undefined) return syncFilesystem(directory);
  for (const file of [...files, directory]) syncPath(file);
}

/** {@link syncTrees} that leaves the process free meanwhile. */
export async function syncTreesLater(paths: readonly string[], directory: string): Promise<void> {
  const files = fewFiles(paths);
  if (files === undefined) return syncFilesystemLater(directory);
  await Promise.all([...files, directory].map(syncPathLater));
}

/** {@link syncPath} that leaves the process free meanwhile. */
export async function syncPathLater(path: string): Promise<void> {
  const file = await open(hostPath(path), "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The files and directories of the trees, or `undefined` when they are too many to be synced one by one. */
function fewFiles(paths: readonly string[]): string[] | undefined {
  const files: string[] = [];
  return paths.every((path) => collect(path, files)) ? files : undefined;
}

/** False as soon as there are too many. Links have nothing of their own to sync: their targets are part of the directory. */
function collect(path: string, files: string[]): boolean {
  const stat = lstatSync(hostPath(path));
  if (stat.isSymbolicLink()) return true;
  if (files.length === SINGLE_SYNCS) return false;
  files.push(path);
  return !stat.isDirectory() || readNames(path).every((name) => collect(`${path}/${name}`, files));
}
