export { type HashedObject, hashObjects, type HashObjectsOptions, type ObjectToHash } from "./hash-objects.ts";
export { type RecoverStoreOptions, recoverStore, type RecoveryReport } from "./recover.ts";
