import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { CodedError } from "../../base/index.ts";

/** What this machine's settings say of its stores. */
export interface StoreSettings {
  /** Join equal files of every object before it is registered. Default false. */
  readonly autoOptimise: boolean;
}

/** Where settings lie. */
export interface StoreSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

/**
 * Read `{ "autoOptimise": true }` from `~/.config/floe/settings.json`, then `/etc/floe/settings.json`; other keys belong to others, and
 * the first file that has it decides.
 *
 * @throws {CodedError} `store.settings-malformed`
 */
export function readStoreSettings(
  { environment, home, root = "" }: StoreSettingsPlaces = { environment: process.env, home: homedir() },
): StoreSettings {
  for (const file of [
    `${environment["XDG_CONFIG_HOME"] ?? `${home}/.config`}/floe/settings.json`,
    `${root}/etc/floe/settings.json`,
  ]) {
    const value = fieldOf(file, "autoOptimise");
    if (value === undefined) continue;
    if (typeof value === "boolean") return { autoOptimise: value };
    throw malformed(file, `expected true or false for "autoOptimise"`);
  }
  return { autoOptimise: false };
}

function fieldOf(file: string, name: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // There is none, or it is not for us.
    return undefined;
  }
  try {
    return (JSON.parse(text) as Record<string, unknown> | null)?.[name];
  } catch (cause) {
    throw malformed(file, "it is not JSON", cause);
  }
}

function malformed(file: string, why: string, cause?: unknown): CodedError {
  return new CodedError("store.settings-malformed", `Cannot read the settings in "${file}": ${why}`, { cause });
}
