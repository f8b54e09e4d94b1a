import { mergeSubstitutionSettings, parseSubstitutionSettings, type SubstitutionSettings } from "../../build/index.ts";
import { readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/**
 * What this machine's settings say of other stores, the user's before the machine's. The settings of Nix (`nix.conf`) are left
 * alone: who trusts a key there has not said so here.
 *
 * @throws {CodedError} `substitution.settings-malformed`, `key.malformed`
 */
export function readSubstitutionSettings(places?: SettingsPlaces): SubstitutionSettings {
  return mergeSubstitutionSettings(
    readSettingsFiles(places).flatMap(({ text, file }) => parseSubstitutionSettings(text, file) ?? []),
  );
}
