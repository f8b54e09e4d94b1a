import { lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isGone, ownMark } from "qemu-wrapper";
import { isDiskFile } from "./machine-disks.ts";
import { CHECKPOINTS } from "./machine-host.ts";
import { defaultRunFolder } from "./run-folder.ts";

/** File of a run's folder that says whose its disks are, as long as it runs. */
const OWNER = "owner";

/** Say that the disks in a run's folder go with this process. */
export function ownDisks(folder: string): void {
  writeFileSync(join(folder, OWNER), ownMark());
}

/** Remove the disks of a run, which take gigabytes; its records stay. */
export function removeDisks(folder: string): void {
  for (const machine of foldersIn(folder)) {
    for (const name of readdirSync(machine)) {
      if (isDiskFile(name) || name === CHECKPOINTS) rmSync(join(machine, name), { recursive: true, force: true });
    }
  }
  rmSync(join(folder, OWNER), { force: true });
}

/** Remove the disks of runs that were killed, among those whose folders lie in one. */
export function sweepRuns(parent: string): void {
  for (const folder of foldersIn(parent)) {
    try {
      if (isGone(readFileSync(join(folder, OWNER), "utf8"))) removeDisks(folder);
    } catch {
      // It says nothing of the kind, or another process sweeps as well: that is in nobody's way.
    }
  }
}

/** The same for all tests that have their records where they go by default. */
export function sweepDefaultRuns(environment: Readonly<Record<string, string | undefined>>): void {
  const all = dirname(dirname(defaultRunFolder("any", new Date(), environment)));
  for (const test of foldersIn(all)) sweepRuns(test);
}

/** Folders of this user, no links to any. */
function foldersIn(parent: string): string[] {
  let names: string[];
  try {
    names = readdirSync(parent);
  } catch {
    return [];
  }
  return names
    .map((name) => join(parent, name))
    .filter((path) => {
      const info = lstatSync(path, { throwIfNoEntry: false });
      return info?.isDirectory() === true && (process.getuid === undefined || info.uid === process.getuid());
    });
}
