import { CodedError, parseHash } from "../base/index.ts";
import { derivation, type DerivationValue } from "../derivation/index.ts";

/** One file to be fetched, and what it must contain. */
export interface FetchUrlOptions {
  /** Address; `mirror://debian/…` and `mirror://npm/…` are resolved when it is fetched. */
  readonly url?: string;
  /** Addresses to try in order, in place of `url`. */
  readonly urls?: readonly string[];
  /** SRI form: `sha256-…`. Of the file, or of its NAR when `executable`. */
  readonly hash: string;
  /** Name of the store object. Default the last part of the address. */
  readonly name?: string;
  /** Whether the file gets its executable bit. Default false. */
  readonly executable?: boolean;
}

/**
 * A file from the network with a known hash. The derivation equals the one `<nix/fetchurl.nix>` makes, so paths and
 * caches agree with Nix's.
 *
 * @throws {CodedError} `fetch-url.no-address` without an address; `fetch-url.hash` when `hash` is not in SRI form.
 */
export function fetchUrl(options: FetchUrlOptions): DerivationValue {
  const urls = options.urls ?? (options.url === undefined ? [] : [options.url]);
  const [first] = urls;
  if (first === undefined)
    throw new CodedError(
      "fetch-url.no-address",
      `Cannot fetch "${options.name ?? "a file"}": found neither "url" nor "urls"`,
    );
  checkSri(first, options.hash);
  const { executable = false } = options;
  const name = options.name ?? defaultName(first);
  const method = executable ? "recursive" : "flat";
  return derivation({
    name,
    system: "builtin",
    builder: "builtin:fetchurl",
    fixed: { method, hash: options.hash },
    env: {
      executable,
      impureEnvVars: "http_proxy https_proxy ftp_proxy all_proxy no_proxy",
      outputHash: options.hash,
      outputHashAlgo: "",
      outputHashMode: method,
      preferLocalBuild: true,
      unpack: false,
      url: first,
      urls,
    },
  });
}

/** The last part of an address, with characters that no store path may have replaced by `-`. */
function defaultName(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1).replace(/[^A-Za-z0-9+\-._?=]/g, "-");
}

function checkSri(url: string, hash: string): void {
  if (/^(sha256|sha512|sha1)-/.test(hash)) {
    parseHash(hash);
    return;
  }
  throw new CodedError(
    "fetch-url.hash",
    `Cannot pin "${url}": found the hash "${hash}", expected the form "sha256-…"`,
    {
      hint: "Convert it with: floe hash convert --form sri HASH",
    },
  );
}
