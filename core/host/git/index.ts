export type { FetchTreeOptions, GitBackend, RemoteRefs } from "./backend.ts";
export { type Checkout, findCheckoutRoot, readCheckout } from "./checkout.ts";
export { chooseBackend } from "./choose-backend.ts";
export { fetchCommit, type FetchCommitOptions } from "./fetch-commit.ts";
export { localRevision } from "./local-revision.ts";
export { type ResolvedRevision, resolveRevision } from "./resolve-revision.ts";
export { makeTemporaryFolder } from "./temporary.ts";
