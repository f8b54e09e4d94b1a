import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { type CollectionSettings, DEFAULT_GC_SETTINGS, parseCollectionSettings } from "../../store/index.ts";
import { unlessUnreadable } from "./unreadable.ts";

/** Where this machine's settings lie. */
export interface CollectionSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

/**
 * What this machine's settings say of collecting: `/etc/floe/settings.json`, and over it `~/.config/floe/settings.json`.
 *
 * @throws {CodedError} `gc.settings-malformed`
 */
export function readCollectionSettings(
  places: CollectionSettingsPlaces = { environment: process.env, home: homedir() },
): CollectionSettings {
  const { environment, home, root = "" } = places;
  let settings: CollectionSettings = DEFAULT_GC_SETTINGS;
  for (const file of [
    `${root}/etc/floe/settings.json`,
    `${environment["XDG_CONFIG_HOME"] ?? `${home}/.config`}/floe/settings.json`,
  ]) {
    const text = unlessUnreadable(() => readFileSync(file, "utf8"));
    if (text !== undefined) settings = parseCollectionSettings(text, file, settings);
  }
  return settings;
}
