import { type LocalStore, openLocalStore, readStoreSettings } from "../../core/host/local-store/index.ts";
import type { StoreFlags } from "./flags.ts";

export interface OpenStoreOptions {
  /** Only look: nothing is created, and a store of somebody else will do. Default false. */
  readonly readOnly?: boolean;
}

/** The store that `--store` names, else the machine's own, else the user's. The caller closes it (`using`). */
export function openStore(flags: StoreFlags, { readOnly = false }: OpenStoreOptions = {}): LocalStore {
  return openLocalStore({ root: flags.store, readOnly, ...(readOnly ? {} : readStoreSettings()) });
}
