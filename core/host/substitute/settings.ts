import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { mergeSubstitutionSettings, parseSubstitutionSettings, type SubstitutionSettings } from "../../build/index.ts";

/** Where this machine's settings lie. */
export interface SubstitutionSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

/**
 * What this machine's settings say of other stores: `~/.config/floe/settings.json`, then `/etc/floe/settings.json`. The
 * settings of Nix (`nix.conf`) are left alone: who trusts a key there has not said so here.
 *
 * @throws {CodedError} `substitution.settings-malformed`, `key.malformed`
 */
export function readSubstitutionSettings(
  places: SubstitutionSettingsPlaces = { environment: process.env, home: homedir() },
): SubstitutionSettings {
  const { environment, home, root = "" } = places;
  const parts: SubstitutionSettings[] = [];
  for (const file of [
    `${environment["XDG_CONFIG_HOME"] ?? `${home}/.config`}/floe/settings.json`,
    `${root}/etc/floe/settings.json`,
  ]) {
    const text = tryRead(file);
    const part = text === undefined ? undefined : parseSubstitutionSettings(text, file);
    if (part !== undefined) parts.push(part);
  }
  return mergeSubstitutionSettings(parts);
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
