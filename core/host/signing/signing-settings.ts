import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { CodedError } from "../../base/index.ts";
import type { SecretKey } from "../../store/index.ts";
import { readSecretKey } from "./key-files.ts";

/** Where this machine's settings lie. */
export interface SigningSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

/**
 * The keys that everything built here is signed with: those in the files that `"secretKeyFiles": ["/path"]` names in
 * `~/.config/floe/settings.json` and `/etc/floe/settings.json`. Keys of the machine are root's: who may not read them signs nothing with
 * them.
 *
 * @throws {CodedError} `key.unreadable`, `key.malformed`, `key.settings-malformed`
 *
 * Source: Nix manual, `secret-key-files`.
 */
export function readSigningKeys(
  { environment, home, root = "" }: SigningSettingsPlaces = { environment: process.env, home: homedir() },
): SecretKey[] {
  const own = filesIn(`${environment["XDG_CONFIG_HOME"] || `${home}/.config`}/floe/settings.json`);
  const machine = filesIn(`${root}/etc/floe/settings.json`).filter((file) => !own.includes(file));
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

function filesIn(settings: string): string[] {
  let text: string;
  try {
    text = readFileSync(settings, "utf8");
  } catch {
    // There is none, or it is not for us.
    return [];
  }
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
