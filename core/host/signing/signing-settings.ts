import { CodedError } from "../../base/index.ts";
import type { SecretKey } from "../../store/index.ts";
import { readSettingsFiles, type SettingsFile, type SettingsPlaces } from "../process/settings-files.ts";
import { readSecretKey } from "./key-files.ts";

/**
 * The keys that everything built here is signed with: those in the files that `"secretKeyFiles": ["/path"]` names in
 * `~/.config/floe/settings.json` and `/etc/floe/settings.json`. Keys of the machine are root's: who may not read them signs nothing with
 * them.
 *
 * @throws {CodedError} `key.unreadable`, `key.malformed`, `key.settings-malformed`
 *
 * Source: Nix manual, `secret-key-files`.
 */
export function readSigningKeys(places?: SettingsPlaces): SecretKey[] {
  const settings = readSettingsFiles(places);
  const own = settings.filter(({ by }) => by === "user").flatMap(filesIn);
  const machine = settings
    .filter(({ by }) => by === "machine")
    .flatMap(filesIn)
    .filter((file) => !own.includes(file));
  return [...own.map(readSecretKey), ...machine.flatMap(readIfAllowed)];
}

function readIfAllowed(file: string): SecretKey[] {
  try {
    return [readSecretKey(file)];
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (code === "EACCES") return [];
    throw error;
  }
}

function filesIn({ file: settings, text }: SettingsFile): string[] {
  let files: unknown = [];
  try {
    files = (JSON.parse(text) as { readonly secretKeyFiles?: unknown } | null)?.secretKeyFiles ?? [];
  } catch (cause) {
    throw malformed(settings, "it is not JSON", cause);
  }
  if (Array.isArray(files) && files.every((file) => typeof file === "string" && file.startsWith("/"))) return files;
  throw malformed(settings, 'expected a list of absolute paths for "secretKeyFiles"');
}

function malformed(settings: string, found: string, cause?: unknown): CodedError {
  return new CodedError("key.settings-malformed", `Cannot read the settings in "${settings}": ${found}`, { cause });
}
