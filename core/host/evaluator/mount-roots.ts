import { statSync } from "node:fs";
import type { Mount } from "./protocol.ts";

/**
 * Which folders of this machine the mounts are, by device and inode. A process that was there before keeps those that it was started with: where one
 * was moved away and another one has its name, it would answer for the one before.
 */
export function rootsOf(mounts: readonly Mount[]): string {
  const roots = mounts.flatMap(
    ({ hostPath, folders }) => folders?.map((folder) => `${hostPath}/${folder}`) ?? [hostPath],
  );
  return roots.map(stateOf).join(" ");
}

function stateOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? "-" : `${stat.dev}:${stat.ino}`;
}
