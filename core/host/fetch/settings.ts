import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import {
  EMPTY_FETCH_SETTINGS,
  type FetchSettings,
  LARGEST_DOWNLOAD_BYTES,
  mergeFetchSettings,
  parseAptSources,
  parseFetchSettings,
  parseNpmrc,
} from "../../fetch/index.ts";
import { ownSettingsPlaces, readSettingsFiles, type SettingsPlaces } from "../process/settings-files.ts";

/**
 * The addresses this machine uses, without asking the network: apt's own mirrors, then the variable `FLOE_MIRRORS`, then
 * `~/.config/floe/settings.json` and `/etc/floe/settings.json`.
 *
 * @throws {CodedError} `fetch.settings-malformed`
 */
export function readFetchSettings(places: SettingsPlaces = ownSettingsPlaces()): FetchSettings {
  const { environment, home, root = "" } = places;
  const parts: FetchSettings[] = [mirrors({ debian: aptSources(`${root}/etc/apt`) })];
  const fromVariable = environment["FLOE_MIRRORS"];
  if (fromVariable !== undefined && fromVariable !== "")
    parts.push(parseFetchSettings(fromVariable, "FLOE_MIRRORS", { bare: true }));
  for (const { text, file } of readSettingsFiles(places)) parts.push(parseFetchSettings(text, file));
  const registry = environment["npm_config_registry"] ?? npmrcRegistry([`${home}/.npmrc`, `${root}/etc/npmrc`]);
  if (registry !== undefined && registry !== "") parts.push(mirrors({ npm: [registry] }));
  return mergeFetchSettings(parts.map(dropEmpty));
}

let downloadLimit: number | undefined;

/**
 * The most that one download may have: the setting `maxDownload` of this machine, read once in a process.
 *
 * @throws {CodedError} `fetch.settings-malformed`
 */
export function downloadLimitBytes(): number {
  downloadLimit ??= readDownloadLimit();
  return downloadLimit;
}

/** What the settings of these places say, see {@link downloadLimitBytes}. */
export function readDownloadLimit(places: SettingsPlaces = ownSettingsPlaces()): number {
  const parts = readSettingsFiles(places).map(({ text, file }) => parseFetchSettings(text, file));
  return mergeFetchSettings(parts).maxDownloadBytes ?? LARGEST_DOWNLOAD_BYTES;
}

/**
 * The settings with a package registry in them: when no file names one, the npm client is asked for its own default.
 * Starting it costs some tenths of a second, hence only for those who need `mirror://npm/…`.
 */
export async function withPackageRegistry(settings: FetchSettings): Promise<FetchSettings> {
  if (settings.mirrors["npm"] !== undefined) return settings;
  try {
    const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"], { timeout: 30_000 });
    const registry = stdout.trim().split("\n").at(-1) ?? "";
    return /^https?:\/\//.test(registry) ? mergeFetchSettings([settings, mirrors({ npm: [registry] })]) : settings;
  } catch {
    return settings;
  }
}

function aptSources(directory: string): string[] {
  const files = [`${directory}/sources.list`];
  try {
    for (const name of readdirSync(`${directory}/sources.list.d`).sort()) {
      if (/\.(list|sources)$/.test(name)) files.push(`${directory}/sources.list.d/${name}`);
    }
  } catch {
    // No apt on this machine.
  }
  return [...new Set(files.flatMap((file) => parseAptSources(tryRead(file) ?? "")))];
}

function npmrcRegistry(files: readonly string[]): string | undefined {
  for (const file of files) {
    const found = parseNpmrc(tryRead(file) ?? "");
    if (found !== undefined) return found;
  }
  return undefined;
}

function mirrors(found: FetchSettings["mirrors"]): FetchSettings {
  return { ...EMPTY_FETCH_SETTINGS, mirrors: found };
}

function dropEmpty(part: FetchSettings): FetchSettings {
  const filled = Object.entries(part.mirrors).filter(([, addresses]) => addresses.length > 0);
  return { ...part, mirrors: Object.fromEntries(filled) };
}

function tryRead(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
