import { CodedError } from "../../base/index.ts";
import { readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/** Extended attributes that the system itself gives to files, and often takes from nobody. Source: Nix, `ignored-acls`. */
export const IGNORED_ATTRIBUTES: readonly string[] = ["security.csm", "security.selinux", "system.nfs4_acl"];

/** What this machine's settings say of its stores. */
export interface StoreSettings {
  /** Join equal files of every object before it is registered. Default false. */
  readonly autoOptimise: boolean;
  /** Extended attributes that files of the store may have. Default {@link IGNORED_ATTRIBUTES}. */
  readonly ignoredAttributes: readonly string[];
}

/**
 * Read `{ "autoOptimise": true, "ignoredAttributes": ["security.selinux"] }` from `~/.config/floe/settings.json`, then
 * `/etc/floe/settings.json`; other keys belong to others, and of each setting the first file that has it decides.
 *
 * @throws {CodedError} `store.settings-malformed`
 */
export function readStoreSettings(places?: SettingsPlaces): StoreSettings {
  const files = readSettingsFiles(places);
  const first = <T>(name: string, expected: string, fits: (value: unknown) => value is T): T | undefined => {
    for (const { file, text } of files) {
      const value = fieldOf(text, name, file);
      if (value === undefined) continue;
      if (fits(value)) return value;
      throw malformed(file, `expected ${expected} for "${name}"`);
    }
    return undefined;
  };
  return {
    autoOptimise: first("autoOptimise", "true or false", (value) => typeof value === "boolean") ?? false,
    ignoredAttributes: first("ignoredAttributes", "a list of names", isNames) ?? IGNORED_ATTRIBUTES,
  };
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string" && /^[^\0\n]+$/.test(name));
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
