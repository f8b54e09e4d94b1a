import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { CliContext } from "../../context.ts";
import { isStoreAddress, type StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";

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
  Disposable;

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
