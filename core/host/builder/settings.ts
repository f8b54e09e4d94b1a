import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { type BuildSettings, mergeBuildSettings, parseBuildSettings } from "../../build/index.ts";

/** Where this machine's settings lie. */
export interface BuildSettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

/**
 * What this machine's settings say of building: `~/.config/floe/settings.json`, then `/etc/floe/settings.json`; of each setting the
 * first file that has it decides.
 *
 * @throws {CodedError} `build.settings-malformed`
 */
export function readBuildSettings(
  { environment, home, root = "" }: BuildSettingsPlaces = { environment: process.env, home: homedir() },
): BuildSettings {
  const files = [
    `${environment["XDG_CONFIG_HOME"] ?? `${home}/.config`}/floe/settings.json`,
    `${root}/etc/floe/settings.json`,
  ];
  return mergeBuildSettings(files.flatMap(readPart));
}

function readPart(file: string): BuildSettings[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // There is none, or it is not for us.
    return [];
  }
  return [parseBuildSettings(text, file)];
}
