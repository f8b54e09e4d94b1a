import { lstatSync, mkdirSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { CodedError, hashBytes, toBase32 } from "../../base/index.ts";
import { STORE_DIRECTORY } from "../../store/index.ts";
import { symlinkAtomic } from "../files/index.ts";
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
  symlinkAtomic(target, absolute, { sync: true });
  registerRoot(layout, absolute);
}

/** Register a link that is there already: profiles, links made by others. */
export function registerRoot({ stateDirectory }: StoreLayout, link: string): void {
  const auto = join(stateDirectory, "gcroots/auto");
  mkdirSync(auto, { recursive: true });
  symlinkAtomic(link, join(auto, autoRootName(link)), { sync: true });
}

/** Name below `gcroots/auto` of what stands for a link elsewhere, by its absolute path. */
export function autoRootName(link: string): string {
  return toBase32(hashBytes("sha1", link).digest);
}

function isStoreTarget(target: string): boolean {
  return target.startsWith(`${STORE_DIRECTORY}/`) || target.includes(`${STORE_DIRECTORY}/`);
}
