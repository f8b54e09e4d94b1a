import { CodedError, isRecord } from "../base/index.ts";
import type { Credentials } from "./netrc.ts";

/** How this machine's user shows who asks. */
export interface AccessSettings {
  /** Tokens by host (`git.example.org`), or by host and the beginning of a path (`git.example.org/group`). */
  readonly accessTokens: Readonly<Record<string, string>>;
  /** A netrc file to read besides `~/.netrc`. */
  readonly netrcFile?: string;
}

/**
 * Read what a settings text says of access: `{ "accessTokens": { "git.example.org": "TOKEN" }, "netrcFile": "/path" }`; other
 * keys belong to others.
 *
 * @param from Name of the file, for errors. They never show a token.
 * @throws {CodedError} `fetch.settings-malformed`
 */
export function parseAccessSettings(text: string, from: string): AccessSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(from, "it is not JSON");
  }
  const { accessTokens = {}, netrcFile } = (value ?? {}) as Partial<Record<keyof AccessSettings, unknown>>;
  if (!isRecord(accessTokens)) throw malformed(from, 'expected an object for "accessTokens"');
  for (const [host, token] of Object.entries(accessTokens)) {
    if (typeof token !== "string" || token === "" || !/^[^\s/]+(\/\S*)?$/.test(host))
      throw malformed(from, `expected a host and its token for "${host}" in "accessTokens"`);
  }
  if (netrcFile !== undefined && (typeof netrcFile !== "string" || !netrcFile.startsWith("/")))
    throw malformed(from, 'expected an absolute path for "netrcFile"');
  return { accessTokens: accessTokens as Record<string, string>, ...(netrcFile === undefined ? {} : { netrcFile }) };
}

/** Settings one after another: the earlier one counts where both say something. */
export function mergeAccessSettings(parts: readonly AccessSettings[]): AccessSettings {
  const netrcFile = parts.find((part) => part.netrcFile !== undefined)?.netrcFile;
  return {
    accessTokens: Object.assign({}, ...parts.toReversed().map((part) => part.accessTokens)) as Record<string, string>,
    ...(netrcFile === undefined ? {} : { netrcFile }),
  };
}

/** What counts of an address here; as in a `URL`. */
interface Address {
  /** With its port, when it has one of its own. */
  readonly host: string;
  readonly hostname: string;
  readonly pathname: string;
}

/** The token of the longest host and path that an address lies below. Servers take it as the password of any user. */
export function findAccessToken({ accessTokens }: AccessSettings, url: Address): Credentials | undefined {
  const place = `${url.host}${url.pathname}`;
  const [best] = Object.keys(accessTokens)
    .filter(
      (key) =>
        key === url.host || key === url.hostname || place === key || place.startsWith(`${key.replace(/\/$/, "")}/`),
    )
    .sort((a, b) => b.length - a.length);
  return best === undefined ? undefined : { username: "oauth2", password: accessTokens[best] as string };
}

function malformed(from: string, found: string): CodedError {
  return new CodedError("fetch.settings-malformed", `Cannot read access settings from "${from}": ${found}`, {
    hint: 'The shape is { "accessTokens": { "git.example.org": "TOKEN" }, "netrcFile": "/path/to/netrc" }.',
  });
}
