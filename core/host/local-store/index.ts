export type { AddTreeOptions } from "./add-tree.ts";
export { lockFile, lockFileSync, type LockMode } from "./file-lock.ts";
export { defaultStoreRoot, makeLayout, type StoreLayout } from "./layout.ts";
export { type LocalStore, openLocalStore, type OpenLocalStoreOptions } from "./local-store.ts";
export { type HeldLocks, type LockPathsOptions, lockRealPaths } from "./path-locks.ts";
export { SCHEMA, SCHEMA_VERSION } from "./schema.ts";
