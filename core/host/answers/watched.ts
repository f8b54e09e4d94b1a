import { lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** What an answer was made from, as places of this machine. */
export interface Watched {
  /** Files, folders and links; of a folder its entries count, of a link where it leads. */
  readonly paths: readonly string[];
  /** Where nothing is. */
  readonly absent: readonly string[];
}

/**
 * How the entries of a folder were: the folder, then of each entry its name, the time of its inode in milliseconds since 1970, and the
 * inode. No program can set that time back, so equal means that nothing was written to it, and to a folder that no entry came or went.
 */
export type Stamps = readonly [folder: string, ...(readonly (string | number)[])];

/**
 * How long after a change another one may leave the same time behind, in milliseconds: kernels count in ticks of up to 10 ms, and file
 * systems of other machines have clocks of their own.
 */
const TICK_MS = 100;

/**
 * How everything is, for an answer whose making began at a moment.
 *
 * @param sinceMs That moment, in milliseconds since 1970.
 * @returns `undefined` when something changed since, or so shortly before that a change may have left no trace: what was read may be
 *   what was there before.
 */
export function stampAll({ paths, absent }: Watched, sinceMs: number): Stamps[] | undefined {
  const folders = new Map<string, [folder: string, ...(string | number)[]]>();
  for (const path of new Set(paths)) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.ctimeMs > sinceMs - TICK_MS) return undefined;
    const slash = path.lastIndexOf("/");
    const folder = path.slice(0, slash);
    const stamps = folders.get(folder) ?? [folder];
    stamps.push(path.slice(slash + 1), stat.ctimeMs, stat.ino);
    folders.set(folder, stamps);
  }
  return absent.every(isAbsent) ? [...folders.values()] : undefined;
}

/** Files that others read, or would if they were there; of a link also what it leads to. */
export function presentOrNot(files: readonly string[]): Watched {
  const paths: string[] = [];
  const absent: string[] = [];
  const pending = [...files];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined) absent.push(file);
    // Of links in a circle nothing is read.
    else if (!paths.includes(file)) {
      paths.push(file);
      if (stat.isSymbolicLink()) pending.push(resolve(dirname(file), readlinkSync(file)));
    }
  }
  return { paths, absent };
}

/** Whether everything is as it was. A thousand files may be looked at, most of what a known answer takes. */
export function isAsItWas(folders: readonly Stamps[], absent: readonly string[]): boolean {
  const orUndefined = { throwIfNoEntry: false } as const;
  for (const stamps of folders) {
    const folder = stamps[0];
    for (let i = 1; i < stamps.length; i += 3) {
      const stat = lstatSync(`${folder}/${stamps[i]}`, orUndefined);
      if (stat === undefined || stat.ctimeMs !== stamps[i + 1] || stat.ino !== stamps[i + 2]) return false;
    }
  }
  return absent.every(isAbsent);
}

function isAbsent(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined;
}
