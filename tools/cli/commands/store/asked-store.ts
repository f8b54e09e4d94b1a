import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { PathInfo, StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { isStoreAddress, type StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { getPathInfo } from "./valid-path.ts";

/** What commands ask of a store, be it one of this machine or what was fetched of a distant one. */
export type AskedStore = Pick<
  LocalStore,
  | "storeDirectory"
  | "isValid"
  | "queryPathInfo"
  | "queryByDigest"
  | "queryReferrers"
  | "queryValidDerivers"
  | "closure"
  | "readDerivation"
> &
  Disposable & {
    /** What all of several objects need, each with its facts; only a store of this machine can tell that at once. */
    closuresWithInfos?: LocalStore["closuresWithInfos"];
    /** Where an object lies, for a store of this machine. */
    realPath?: LocalStore["realPath"];
    /** The place on this machine to which an object was fetched, for others. */
    fetchTree?(path: StorePath): Promise<string>;
  };

/** The place of an object's files on this machine; those of a distant one are fetched. Gone when the store is closed. */
export async function treeOf(store: AskedStore, path: StorePath): Promise<string> {
  return (await store.fetchTree?.(path)) ?? (store.realPath?.(path) as string);
}

/** What each of several objects needs, itself included, with the facts. @throws {CodedError} `store.not-valid` */
export function infosOfClosures(store: AskedStore, paths: readonly StorePath[]): PathInfo[][] {
  if (store.closuresWithInfos !== undefined) return store.closuresWithInfos(paths.map((path) => [path]));
  return paths.map((path) => store.closure([path]).map((each) => getPathInfo(store, each)));
}

/** How far a question goes: the named objects, all they refer to, what refers to them, directly or not; or digests. */
export type Reach = "objects" | "closure" | "referrers" | "referrers-closure" | "digests";

export interface OpenAskedStoreOptions {
  /** Paths or digests that are asked about. */
  readonly texts: readonly string[];
  readonly reach: Reach;
}

/**
 * The store that `--store` names, to look only: a directory, or any address that `floe copy` takes. Of a distant one what the
 * question needs is fetched at once.
 *
 * @throws {CodedError} `store.cannot-answer` where such a store does not know, and those of the store
 */
export async function openAskedStore(
  context: CliContext,
  flags: StoreFlags,
  options: OpenAskedStoreOptions,
): Promise<AskedStore> {
  if (flags.store === undefined || !isStoreAddress(flags.store)) return openStore(flags, { readOnly: true });
  const { openDistantView } = await import("./distant-view.ts");
  return openDistantView(flags.store, { ...options, cwd: context.cwd, signal: context.signal });
}
