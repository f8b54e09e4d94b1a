import { readFileSync } from "node:fs";
import { homedir } from "node:os";

/** Where this machine's settings lie. */
export interface SettingsPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** Prefix of `/etc`, for tests. Default "". */
  readonly root?: string;
}

export interface SettingsFile {
  readonly file: string;
  readonly text: string;
  /** Whose word it is. */
  readonly by: "user" | "machine";
}

/** Those of the user who runs this program. */
export function ownSettingsPlaces(): SettingsPlaces {
  return { environment: process.env, home: homedir() };
}

/** `~/.config/floe/settings.json`, then `/etc/floe/settings.json`: those that are there and that we may read. */
export function readSettingsFiles(places: SettingsPlaces = ownSettingsPlaces()): SettingsFile[] {
  const [ofUser, ofMachine] = settingsFiles(places);
  return [...readOne(ofUser, "user"), ...readOne(ofMachine, "machine")];
}

/** Where settings are, if there are any: the user's, then the machine's. */
export function settingsFiles({ environment, home, root = "" }: SettingsPlaces): [ofUser: string, ofMachine: string] {
  return [
    `${environment["XDG_CONFIG_HOME"] || `${home}/.config`}/floe/settings.json`,
    `${root}/etc/floe/settings.json`,
  ];
}

function readOne(file: string, by: SettingsFile["by"]): SettingsFile[] {
  try {
    return [{ file, text: readFileSync(file, "utf8"), by }];
  } catch {
    // There is none, or it is not for us.
    return [];
  }
}
