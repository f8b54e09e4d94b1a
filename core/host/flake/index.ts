export { type AskedOutputs, askOutputs, type FaultyOutput, outlineFlake } from "./ask-outputs.ts";
export { findFlake, type FoundFlake, untrackedNotice } from "./find-flake.ts";
export {
  cloneFlake,
  type EvaluateFlakeOptions,
  fetchFlake,
  hostPlatform,
  type LockOptions,
  type LockResult,
  OpenFlake,
  openFlake,
  type OpenFlakeOptions,
} from "./open-flake.ts";
export { placeTemplate, type PlaceTemplateOptions } from "./place-template.ts";
export { parseLock, readLock } from "./read-lock.ts";
export type { SourceStore } from "./source-store.ts";
