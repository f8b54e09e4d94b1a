import type { Suite } from "./suite.ts";

/** Runs all cases of one file of vectors. */
export type Runner = (vectors: never, suite: Suite) => Promise<void>;

/** By name of the file, in the order they run: what others build on comes first. Each is loaded when its file is there. */
export const RUNNERS: Readonly<Record<string, () => Promise<Runner>>> = {
  "encodings.json": async () => (await import("./encodings.ts")).runEncodings,
  "nar.json": async () => (await import("./nar.ts")).runNar,
  "store-paths.json": async () => (await import("./store-paths.ts")).runStorePaths,
  "references.json": async () => (await import("./references.ts")).runReferences,
  "derivations.json": async () => (await import("./derivations.ts")).runDerivations,
  "content-addressed.json": async () => (await import("./content-addressed.ts")).runContentAddressed,
  "versions.json": async () => (await import("./versions.ts")).runVersions,
  "narinfo.json": async () => (await import("./narinfo.ts")).runNarInfo,
  "binary-cache.json": async () => (await import("./binary-cache.ts")).runBinaryCache,
  "export.json": async () => (await import("./export.ts")).runExport,
  "build-environment.json": async () => (await import("./build-environment.ts")).runBuildEnvironment,
  "flake-lock.json": async () => (await import("./flake-lock.ts")).runFlakeLock,
  "gc.json": async () => (await import("./gc.ts")).runGc,
  "serve-protocol.json": async () => (await import("./protocol.ts")).runServeProtocol,
  "worker-protocol.json": async () => (await import("./protocol.ts")).runWorkerProtocol,
};
