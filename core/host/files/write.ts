import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { hostPath, readNames } from "./host-path.ts";
import { syncPath } from "./sync.ts";

let counter = 0;

/** A name beside `path` that nobody else uses. */
export function temporaryName(path: string): string {
  counter += 1;
  return `${path}.tmp-${process.pid}-${counter}`;
}

export interface WriteFileAtomicOptions {
  /** Default 0644. */
  readonly mode?: number;
  /** Wait until contents and name are on disk. Default false. */
  readonly sync?: boolean;
}

/** Write a file whole: readers see the old contents or the new ones, never a part. */
export function writeFileAtomic(
  path: string,
  contents: string | Uint8Array,
  { mode = 0o644, sync = false }: WriteFileAtomicOptions = {},
): void {
  const temporary = temporaryName(path);
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(fd, contents);
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (sync) syncPath(dirname(path));
}

/** Make or replace a symbolic link in one step. With `sync` it is on disk afterwards; default false. */
export function symlinkAtomic(target: string, path: string, { sync = false }: { readonly sync?: boolean } = {}): void {
  const temporary = temporaryName(path);
  symlinkSync(target, temporary);
  try {
    renameSync(temporary, path);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  if (sync) syncPath(dirname(path));
}

/** Remove a tree, its read-only directories too. Nothing there is fine. */
export function removeTree(path: string): void {
  const stat = lstatSync(hostPath(path), { throwIfNoEntry: false });
  if (stat === undefined) return;
  try {
    if (stat.isDirectory()) makeRemovable(path, stat.mode);
    rmSync(hostPath(path), { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENAMETOOLONG") throw error;
    removeDeep(path);
    if (lstatSync(hostPath(path), { throwIfNoEntry: false }) !== undefined) throw error;
  }
}

/** Directories may be nested deeper than a path can be long; these programs go down step by step. */
function removeDeep(path: string): void {
  for (const words of [
    ["chmod", "-R", "u+rwX"],
    ["rm", "-rf"],
  ] as const)
    spawnSync(words[0], [...words.slice(1), "--", path], { stdio: "ignore" });
}

/** Directories without write permission keep their entries from everyone but root. */
function makeRemovable(directory: string, mode: number): void {
  if (process.geteuid?.() === 0) return;
  if ((mode & 0o700) !== 0o700) chmodSync(hostPath(directory), 0o700);
  for (const name of readNames(directory)) {
    const path = `${directory}/${name}`;
    const stat = lstatSync(hostPath(path));
    if (stat.isDirectory()) makeRemovable(path, stat.mode);
  }
}
