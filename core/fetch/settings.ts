import { CodedError, isRecord, tryParseSize } from "../base/index.ts";

/** Where things may be downloaded from. */
export interface FetchSettings {
  /**
   * Base addresses by mirror name, each tried in order; `mirror://<name>/<path>` stands for them.
   *
   * A name ending in `-snapshot` holds addresses of an archive that keeps everything: they come after those of the name
   * without this ending, and `{timestamp}` in them is replaced by the moment the derivation pins.
   */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  /**
   * Base addresses of servers that have files by their hash: `<base>/<algorithm>/<base 16>`. They are asked before the addresses
   * of a file whose own hash is declared.
   */
  readonly hashedMirrors: readonly string[];
  /** The most that one download may have, in bytes. Default {@link LARGEST_DOWNLOAD_BYTES}. */
  readonly maxDownloadBytes?: number | undefined;
}

/** More than any source that is published; a server that sends more sends without end. */
export const LARGEST_DOWNLOAD_BYTES = 32 * 1024 ** 3;

export const EMPTY_FETCH_SETTINGS: FetchSettings = { mirrors: {}, hashedMirrors: [] };

/** Settings one after another: earlier addresses are tried first, doubles are dropped; the first limit counts. */
export function mergeFetchSettings(parts: readonly FetchSettings[]): FetchSettings {
  const mirrors: Record<string, string[]> = {};
  for (const part of parts) {
    for (const [name, addresses] of Object.entries(part.mirrors)) {
      const list = (mirrors[name] ??= []);
      for (const address of addresses) if (!list.includes(address)) list.push(address);
    }
  }
  const maxDownloadBytes = parts.find((part) => part.maxDownloadBytes !== undefined)?.maxDownloadBytes;
  return {
    mirrors,
    hashedMirrors: [...new Set(parts.flatMap((part) => part.hashedMirrors))],
    ...(maxDownloadBytes === undefined ? {} : { maxDownloadBytes }),
  };
}

/**
 * Read a settings text.
 *
 * Shape: `{ "mirrors": { "debian": ["https://…"], "debian-snapshot": ["https://…/{timestamp}/"] }, "hashedMirrors": ["https://…"],
 * "maxDownload": "32G" }`; other keys belong to others. The same object may stand alone, without `mirrors` around it, when `bare` is true (environment variable).
 *
 * @param from Name of the file or variable, for errors.
 * @throws {CodedError} `fetch.settings-malformed`
 */
export function parseFetchSettings(text: string, from: string, { bare = false } = {}): FetchSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(from, "it is not JSON", cause);
  }
  if (!isRecord(value)) throw malformed(from, "expected an object");
  const found = "mirrors" in value || !bare ? (value["mirrors"] ?? {}) : value;
  if (!isRecord(found)) throw malformed(from, `expected an object for "mirrors"`);
  const mirrors: Record<string, string[]> = {};
  for (const [name, addresses] of Object.entries(found)) {
    mirrors[name] = addressList(addresses, `mirror "${name}"`, from);
  }
  const hashedMirrors = bare ? [] : addressList(value["hashedMirrors"] ?? [], '"hashedMirrors"', from);
  const maxDownloadBytes = bare ? undefined : size(value["maxDownload"], from);
  return { mirrors, hashedMirrors, ...(maxDownloadBytes === undefined ? {} : { maxDownloadBytes }) };
}

function size(value: unknown, from: string): number | undefined {
  if (value === undefined) return undefined;
  const found = typeof value === "number" || typeof value === "string" ? tryParseSize(String(value)) : undefined;
  if (found === undefined) throw malformed(from, `expected a size such as "32G" for "maxDownload"`);
  return found;
}

function addressList(value: unknown, what: string, from: string): string[] {
  const list = typeof value === "string" ? [value] : value;
  const isAddress = (each: unknown): boolean => typeof each === "string" && /^(https?|file):\/\//.test(each);
  if (Array.isArray(list) && list.every(isAddress)) return list as string[];
  throw malformed(from, `expected a list of http, https or file addresses for ${what}`);
}

function malformed(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("fetch.settings-malformed", `Cannot read fetch settings from "${from}": ${found}`, {
    hint: `The shape is { "mirrors": { "debian": ["https://mirror.example/debian/"] } }.`,
    cause,
  });
}

/**
 * Addresses of Debian archives in an apt configuration: one-line style (`deb [options] URI suite component…`) or deb822
 * style (`URIs:` fields of stanzas that are not disabled). Only addresses with `/debian` as the last part count, so that
 * archives of others and the security archive do not.
 *
 * Source: sources.list(5).
 */
export function parseAptSources(text: string): string[] {
  const addresses: string[] = [];
  for (const stanza of text.split(/\n\s*\n/)) {
    const lines = stanza.split("\n").filter((line) => !/^\s*#/.test(line));
    for (const line of lines) {
      const oneLine = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S/.exec(line);
      if (oneLine?.[1] !== undefined) addresses.push(oneLine[1]);
    }
    if (lines.some((line) => /^enabled:\s*(no|false)\s*$/i.test(line))) continue;
    const at = lines.findIndex((line) => /^uris:/i.test(line));
    if (at === -1) continue;
    let field = (lines[at] ?? "").replace(/^uris:/i, "");
    for (let i = at + 1; /^[ \t]/.test(lines[i] ?? ""); i++) field += ` ${lines[i]}`;
    addresses.push(...field.trim().split(/\s+/));
  }
  return [...new Set(addresses.filter((address) => /^https?:\/\/.*\/debian\/?$/.test(address)))];
}

/** Address of the package registry in an `.npmrc`; `undefined` when it names none. */
export function parseNpmrc(text: string): string | undefined {
  for (const line of text.split("\n")) {
    const found = /^\s*registry\s*=\s*(\S+)\s*$/.exec(line)?.[1]?.replace(/^["']|["']$/g, "");
    if (found !== undefined && /^https?:\/\//.test(found)) return found;
  }
  return undefined;
}
