import { type CollectionSettings, DEFAULT_GC_SETTINGS, parseCollectionSettings } from "../../store/index.ts";
import { readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/**
 * What this machine's settings say of collecting, the user's word over the machine's.
 *
 * @throws {CodedError} `gc.settings-malformed`
 */
export function readCollectionSettings(places?: SettingsPlaces): CollectionSettings {
  return readSettingsFiles(places).reduceRight<CollectionSettings>(
    (settings, { text, file }) => parseCollectionSettings(text, file, settings),
    DEFAULT_GC_SETTINGS,
  );
}
