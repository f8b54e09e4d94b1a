import { CodedError, type Hash, toBase16 } from "../base/index.ts";
import type { FetchSettings } from "./settings.ts";

export interface ResolveMirrorsOptions {
  /** Moment of an archive that keeps everything, `20250101T000000Z`; only then are `-snapshot` mirrors used. */
  readonly timestamp?: string | undefined;
}

/**
 * The addresses to try for one address, in order. What is no `mirror://…` stands for itself.
 *
 * @throws {CodedError} `fetch.unknown-mirror` when the settings know no address for the name.
 */
export function resolveMirrors(
  url: string,
  settings: FetchSettings,
  { timestamp }: ResolveMirrorsOptions = {},
): string[] {
  const parts = /^mirror:\/\/([A-Za-z0-9_.-]+)\/+(.*)$/.exec(url);
  if (parts === null) return [url];
  const [, name = "", path = ""] = parts;
  const bases = [...(settings.mirrors[name] ?? [])];
  if (timestamp !== undefined) {
    for (const template of settings.mirrors[`${name}-snapshot`] ?? [])
      bases.push(template.replaceAll("{timestamp}", timestamp));
  }
  if (bases.length === 0) {
    throw new CodedError(
      "fetch.unknown-mirror",
      `Cannot fetch "${url}": no address is known for the mirror "${name}"`,
      {
        hint: `Name one in ~/.config/floe/settings.json: { "mirrors": { "${name}": ["https://…/"] } }, or in the variable FLOE_MIRRORS.`,
      },
    );
  }
  return bases.map((base) => `${base.replace(/\/+$/, "")}/${path}`);
}

/**
 * The addresses at which servers have a file that is known by its hash.
 *
 * Source: Nix manual, `hashed-mirrors`.
 */
export function hashedAddresses({ algorithm, digest }: Hash, { hashedMirrors }: FetchSettings): string[] {
  return hashedMirrors.map((base) => `${base.replace(/\/+$/, "")}/${algorithm}/${toBase16(digest)}`);
}

/** Address as it may be shown: without user, password and query, which may hold secrets. */
export function showUrl(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/@]*@/i, "$1").replace(/[?#].*$/, "");
}
