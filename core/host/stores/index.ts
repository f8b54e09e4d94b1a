export type { AnyStore } from "./any-store.ts";
export { copyPaths, type CopyPathsOptions, type CopyProgress } from "./copy-paths.ts";
export {
  type CopiedRealisations,
  copyRealisations,
  type CopyRealisationsOptions,
  findRealisation,
} from "./copy-realisations.ts";
export { openStoreUrl, type OpenStoreUrlOptions } from "./open-store-url.ts";
