import { lstatSync, mkdirSync, readlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CodedError, hashBytes, toBase32 } from "../../base/index.ts";
import { STORE_DIRECTORY } from "../../store/index.ts";
import { symlinkAtomic, syncPath } from "../files/index.ts";
import type { StoreLayout } from "./layout.ts";

/**
 * Make the user's link to a store path (`result`) and register it, so that what it points to stays as long as the link does.
 *
 * @throws {CodedError} `store.root-in-store`; `store.root-taken` when something is there that is no link into the store.
 */
export function addIndirectRoot(layout: StoreLayout, link: string, target: string): void {
  const absolute = resolve(link);
  if (absolute.startsWith(`${layout.realStoreDirectory}/`) || absolute.startsWith(`${STORE_DIRECTORY}/`)) {
    throw new CodedError("store.root-in-store", `Cannot make the link "${absolute}": it lies inside the store`);
  }
  const present = lstatSync(absolute, { throwIfNoEntry: false });
  if (present !== undefined && !(present.isSymbolicLink() && isStoreTarget(readlinkSync(absolute)))) {
    throw new CodedError(
      "store.root-taken",
      `Cannot make the link "${absolute}": found something else there, expected nothing or a link into the store`,
      {
        hint: "Move it away, or choose another place with --out-link PATH.",
      },
    );
  }
  const root = placeOfRoot(layout, absolute);
  if (leadsTo(absolute, target) && leadsTo(root, absolute)) {
    // Whoever made them may have ended before they were on disk.
    for (const link of [absolute, root]) syncPath(dirname(link));
    return;
  }
  symlinkAtomic(target, absolute, { sync: true });
  // Where nobody deletes nothing has to be kept.
  if (!layout.immutable) registerRoot(layout, absolute);
}

function leadsTo(link: string, target: string): boolean {
  return lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true && readlinkSync(link) === target;
}

/** Register a link that is there already: profiles, links made by others. */
export function registerRoot(layout: StoreLayout, link: string): void {
  const place = placeOfRoot(layout, link);
  mkdirSync(dirname(place), { recursive: true });
  symlinkAtomic(link, place, { sync: true });
}

/** What stands for a link among the roots. */
export function placeOfRoot({ stateDirectory }: StoreLayout, link: string): string {
  return join(stateDirectory, "gcroots/auto", autoRootName(link));
}

/** Name below `gcroots/auto` of what stands for a link elsewhere, by its absolute path. */
export function autoRootName(link: string): string {
  return toBase32(hashBytes("sha1", link).digest);
}

function isStoreTarget(target: string): boolean {
  return target.startsWith(`${STORE_DIRECTORY}/`) || target.includes(`${STORE_DIRECTORY}/`);
}
