import type { NarInfo, StorePath } from "../../store/index.ts";
import type { LookupCache } from "./lookup-cache.ts";
import type { Substituter } from "./substituter.ts";

/**
 * A substituter whose answers are remembered on disk.
 *
 * @param refresh Ask anew whatever is remembered.
 */
export function remembering(substituter: Substituter, lookups: LookupCache, { refresh = false } = {}): Substituter {
  const { url, store } = substituter;
  const queryPathInfo = async (path: StorePath): Promise<NarInfo | undefined> => {
    const known = refresh ? undefined : lookups.find(url, path);
    if (known === "missing") return undefined;
    if (known !== undefined) return known;
    const info = (await store.queryPathInfo(path)) as NarInfo | undefined;
    // Only what a narinfo says can be written down.
    if (info === undefined || "url" in info) lookups.remember(url, path, info);
    return info;
  };
  return {
    ...substituter,
    store: {
      storeDirectory: store.storeDirectory,
      queryPathInfo,
      isValid: async (path) => (await queryPathInfo(path)) !== undefined,
      queryByDigest: (digest) => store.queryByDigest(digest),
      readNar: (path) => store.readNar(path),
    },
    disappointed(path) {
      lookups.forget(url, [path]);
      substituter.disappointed?.(path);
    },
  };
}
