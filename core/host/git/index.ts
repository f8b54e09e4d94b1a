export type { FetchTreeOptions, GitBackend, RemoteRefs } from "./backend.ts";
export { type Checkout, findCheckoutRoot, readCheckout } from "./checkout.ts";
export { chooseBackend } from "./choose-backend.ts";
export { cloneRepository } from "./clone-repository.ts";
export { fetchCommit, type FetchCommitOptions } from "./fetch-commit.ts";
export { fileAtRevision, localRevision } from "./local-revision.ts";
export { type ResolvedRevision, resolveRevision } from "./resolve-revision.ts";
export { revisionAt, type RevisionAtOptions } from "./revision-at.ts";
