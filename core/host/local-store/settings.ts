import { CodedError } from "../../base/index.ts";
import { readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/** What this machine's settings say of its stores. */
export interface StoreSettings {
  /** Join equal files of every object before it is registered. Default false. */
  readonly autoOptimise: boolean;
}

/**
 * Read `{ "autoOptimise": true }` from `~/.config/floe/settings.json`, then `/etc/floe/settings.json`; other keys belong to others, and
 * the first file that has it decides.
 *
 * @throws {CodedError} `store.settings-malformed`
 */
export function readStoreSettings(places?: SettingsPlaces): StoreSettings {
  for (const { file, text } of readSettingsFiles(places)) {
    const value = fieldOf(text, "autoOptimise", file);
    if (value === undefined) continue;
    if (typeof value === "boolean") return { autoOptimise: value };
    throw malformed(file, `expected true or false for "autoOptimise"`);
  }
  return { autoOptimise: false };
}

function fieldOf(text: string, name: string, file: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[name];
  } catch (cause) {
    throw malformed(file, "it is not JSON", cause);
  }
}

function malformed(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError("store.settings-malformed", `Cannot read the settings in "${file}": ${why}`, { cause });
}
