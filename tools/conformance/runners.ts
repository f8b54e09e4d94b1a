import { runBinaryCache } from "./binary-cache.ts";
import { runBuildEnvironment } from "./build-environment.ts";
import { runContentAddressed } from "./content-addressed.ts";
import { runDerivations } from "./derivations.ts";
import { runEncodings } from "./encodings.ts";
import { runExport } from "./export.ts";
import { runFlakeLock } from "./flake-lock.ts";
import { runGc } from "./gc.ts";
import { runNar } from "./nar.ts";
import { runNarInfo } from "./narinfo.ts";
import { runServeProtocol, runWorkerProtocol } from "./protocol.ts";
import { runReferences } from "./references.ts";
import { runStorePaths } from "./store-paths.ts";
import type { Suite } from "./suite.ts";
import { runVersions } from "./versions.ts";

/** Runs all cases of one file of vectors. */
export type Runner = (vectors: never, suite: Suite) => Promise<void>;

/** By name of the file, in the order they run: what others build on comes first. */
export const RUNNERS: Readonly<Record<string, Runner>> = {
  "encodings.json": runEncodings,
  "nar.json": runNar,
  "store-paths.json": runStorePaths,
  "references.json": runReferences,
  "derivations.json": runDerivations,
  "content-addressed.json": runContentAddressed,
  "versions.json": runVersions,
  "narinfo.json": runNarInfo,
  "binary-cache.json": runBinaryCache,
  "export.json": runExport,
  "build-environment.json": runBuildEnvironment,
  "flake-lock.json": runFlakeLock,
  "gc.json": runGc,
  "serve-protocol.json": runServeProtocol,
  "worker-protocol.json": runWorkerProtocol,
};
