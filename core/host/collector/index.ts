export {
  type CollectOptions,
  collectGarbage,
  type DeletePathsOptions,
  deletePaths,
  type GcEvent,
  type GcReport,
} from "./collect.ts";
export type { Root } from "./find-roots.ts";
export { freeBytes } from "./measure.ts";
export { readCollectionSettings } from "./settings.ts";
export type { TemporaryRoot } from "./temporary-roots.ts";
