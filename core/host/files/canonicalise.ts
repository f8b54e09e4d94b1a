import { chmodSync, lchownSync, lstatSync, lutimesSync, type Stats, utimesSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { hostPath, readNames } from "./host-path.ts";

/** Modification time of every store object's files, in seconds since 1970. */
export const CANONICAL_MTIME_SECONDS = 1;

/** The kinds of file a store object may hold. */
export type EntryKind = "file" | "directory" | "symlink";

/** @throws {CodedError} `files.unsupported-type` for devices, sockets and pipes. */
export function entryKind(path: string, stat: Stats): EntryKind {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  throw new CodedError(
    "files.unsupported-type",
    `Cannot take "${path}" into the store: found a device, socket or pipe, expected a file, directory or symbolic link`,
  );
}

export function isExecutable(stat: Stats): boolean {
  return (stat.mode & 0o100) !== 0;
}

/**
 * Give one file its canonical metadata: mode 0444 or 0555, mtime 1, owned by us. Calls the system only for what differs.
 *
 * Links share their inode's metadata, so doing it twice is harmless. A directory's mtime holds as long as no entry is made
 * in it afterwards.
 */
export function canonicaliseEntry(path: string, stat: Stats): void {
  const file = hostPath(path);
  const uid = process.geteuid?.() ?? stat.uid;
  const gid = process.getegid?.() ?? stat.gid;
  // Changing the owner clears set-id bits, so it comes before the mode. Only root can, and only for root it differs.
  if (uid === 0 && (stat.uid !== uid || stat.gid !== gid)) lchownSync(file, uid, gid);
  if (!stat.isSymbolicLink()) {
    const mode = stat.isDirectory() || isExecutable(stat) ? 0o555 : 0o444;
    if ((stat.mode & 0o7777) !== mode) chmodSync(file, mode);
  }
  if (stat.mtimeMs === CANONICAL_MTIME_SECONDS * 1000) return;
  if (stat.isSymbolicLink()) lutimesSync(file, stat.atimeMs / 1000, CANONICAL_MTIME_SECONDS);
  else utimesSync(file, stat.atimeMs / 1000, CANONICAL_MTIME_SECONDS);
}

/**
 * What is not canonical about one file of a store object; `undefined` when all is as it must be. The owner is that of the store
 * object's own entry.
 */
export function metadataFault(stat: Stats, owner: number): string | undefined {
  if (!stat.isSymbolicLink()) {
    const mode = stat.isDirectory() || isExecutable(stat) ? 0o555 : 0o444;
    const found = stat.mode & 0o7777;
    if (found !== mode) return `mode ${octal(found)}, expected ${octal(mode)}`;
  }
  if (stat.uid !== owner) return `owner ${stat.uid}, expected ${owner}`;
  if (stat.mtimeMs !== CANONICAL_MTIME_SECONDS * 1000)
    return `modification time ${stat.mtimeMs / 1000} s, expected 1 s`;
  return undefined;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Canonical metadata for a whole tree. @throws {CodedError} `files.unsupported-type` */
export function canonicalise(path: string): void {
  const stat = lstatSync(hostPath(path));
  const kind = entryKind(path, stat);
  canonicaliseEntry(path, stat);
  if (kind === "directory") for (const name of readNames(path)) canonicalise(`${path}/${name}`);
}
