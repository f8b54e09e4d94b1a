import { type BuildSettings, mergeBuildSettings, parseBuildSettings } from "../../build/index.ts";
import { readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/**
 * What this machine's settings say of building; of each setting the first file that has it decides, the user's before the machine's.
 *
 * @throws {CodedError} `build.settings-malformed`
 */
export function readBuildSettings(places?: SettingsPlaces): BuildSettings {
  return mergeBuildSettings(readSettingsFiles(places).map(({ text, file }) => parseBuildSettings(text, file)));
}
