import { closureOf } from "./closure.ts";
import type { PathInfo } from "./path-info.ts";
import type { StorePath } from "./store-path.ts";

/** What to copy, in the two orders that keep the other store whole. */
export interface CopyPlan<Info extends PathInfo = PathInfo> {
  /** The largest archive first: it takes longest, and the small ones fill the gaps. */
  readonly archives: readonly Info[];
  /** References first: an object becomes valid only after what it refers to. */
  readonly metadata: readonly Info[];
  /** Of all archives. */
  readonly totalBytes: number;
}

/** Plan to copy what is not there yet. */
export function planCopy<Info extends PathInfo>(
  wanted: Iterable<Info>,
  isThere: (path: StorePath) => boolean,
): CopyPlan<Info> {
  const missing = new Map([...wanted].filter(({ path }) => !isThere(path)).map((info) => [info.path, info]));
  const order = closureOf(missing.keys(), (path) =>
    (missing.get(path)?.references ?? []).filter((reference) => missing.has(reference)),
  );
  const metadata = order.map((path) => missing.get(path) as Info);
  // Sorting keeps the order of equals, so that nothing depends on chance.
  const archives = [...metadata].sort((a, b) => b.narSize - a.narSize);
  return { archives, metadata, totalBytes: archives.reduce((sum, { narSize }) => sum + narSize, 0) };
}

export interface CopyGroupLimits {
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Cut objects that come references first into groups that can become valid one after the other, each at once. A group has at
 * least one object.
 */
export function groupForRegistration<Info extends PathInfo>(
  metadata: readonly Info[],
  { objects, bytes }: CopyGroupLimits,
): Info[][] {
  const groups: Info[][] = [];
  let room = 0;
  for (const info of metadata) {
    const last = groups.at(-1);
    if (last === undefined || last.length === objects || info.narSize > room) {
      groups.push([info]);
      room = bytes - info.narSize;
    } else {
      last.push(info);
      room -= info.narSize;
    }
  }
  return groups;
}
