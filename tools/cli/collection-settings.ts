import { readCollectionSettings } from "../../core/host/collector/settings.ts";
import type { CollectionSettings } from "../../core/store/index.ts";

/** What command lines may say about collecting. */
export interface CollectionFlags {
  readonly minFree?: number | undefined;
  readonly maxFree?: number | undefined;
  readonly keepDerivations?: boolean | undefined;
  readonly keepOutputs?: boolean | undefined;
  readonly keepBuildInputs?: boolean | undefined;
}

/** The machine's settings, and what flags say instead. */
export function collectionSettings(flags: CollectionFlags): CollectionSettings {
  const settings = readCollectionSettings();
  return {
    keepDerivations: flags.keepDerivations ?? settings.keepDerivations,
    keepOutputs: flags.keepOutputs ?? settings.keepOutputs,
    keepBuildInputs: flags.keepBuildInputs ?? settings.keepBuildInputs,
    minFreeBytes: flags.minFree ?? settings.minFreeBytes,
    maxFreeBytes: flags.maxFree ?? settings.maxFreeBytes,
  };
}
