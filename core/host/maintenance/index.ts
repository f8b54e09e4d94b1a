export { type HashedObject, hashObjects, type HashObjectsOptions, type ObjectToHash } from "./hash-objects.ts";
export { type OptimiseOptions, type OptimiseReport, optimiseStore } from "./optimise.ts";
export { type RecoverStoreOptions, recoverStore, type RecoveryReport } from "./recover.ts";
export { repair, type RepairOptions, type RepairOutcome, settle, type Settled } from "./repair.ts";
export { type FaultKind, type Findings, type StoreFault, type VerifyOptions, verifyStore } from "./verify.ts";
export { verifyDistant, type VerifyDistantOptions } from "./verify-distant.ts";
