import { homedir } from "node:os";
import { fileURLToPath } from "node:url";
import { CodedError } from "../../base/index.ts";
import type { BinaryCacheOptions, CacheInfoMemory, HttpTransportOptions } from "../binary-cache/index.ts";
import { numberParameter, parseStoreUrl, type StoreUrl, switchParameter } from "../local-store/store-url.ts";
import type { AnyStore } from "./any-store.ts";

export interface OpenStoreUrlOptions {
  /** Relative directories begin here. Default the current one. */
  readonly cwd?: string | undefined;
  /** Make a cache of an empty place. Default false. */
  readonly create?: boolean | undefined;
  /** Parameters that count instead of those of the address. */
  readonly parameters?: Readonly<Record<string, string | undefined>> | undefined;
  /** Ends waiting for distant stores. */
  readonly signal?: AbortSignal | undefined;
  /** How distant caches are waited for. */
  readonly http?: Omit<HttpTransportOptions, "signal"> | undefined;
  /** What is remembered of a cache; see `openBinaryCache`. */
  readonly memory?: CacheInfoMemory | undefined;
}

type Opener = (url: StoreUrl, options: OpenStoreUrlOptions) => Promise<AnyStore>;

/** How stores of each scheme are opened. Each loads what it needs when it is asked for. */
const OPENERS: Readonly<Record<string, Opener>> = {
  auto: (url, options) => openAuto(url, options),
  local: (url, options) => openLocal(url, options),
  "local-overlay": (url, options) => openLocal(url, options),
  file: async (url, options) => {
    const { FileTransport } = await import("../binary-cache/index.ts");
    return openCache(new FileTransport(directoryOf(url)), url, options);
  },
  http: (url, options) => openWebCache(url, options),
  https: (url, options) => openWebCache(url, options),
  s3: (url, options) => openS3Cache(url, options),
  ssh: async (url) => (await import("../remote-store/index.ts")).openSshStore(url),
  "ssh-ng": async (url) => (await import("../remote-store/index.ts")).openSshDaemonStore(url),
  daemon: async (url) => (await import("../remote-store/index.ts")).openDaemonStore(url),
  unix: async (url) => (await import("../remote-store/index.ts")).openDaemonStore(url),
};

/**
 * Open the store that an address means; see {@link parseStoreUrl}. The caller closes it.
 *
 * Parameters of caches: `compression`, `compression-level`, `secret-key` (a file), `write-nar-listing`, `priority`,
 * `want-mass-query`, `trusted`; of `s3` also `region`, `endpoint`, `scheme`, `profile`; of `local` and `local-overlay`: see `layoutOf`; of `ssh`, `ssh-ng`, `daemon` and `unix`: see core/host/remote-store.
 *
 * @throws {CodedError} `store-url.malformed`, `store-url.unknown-scheme`, and those of the store
 */
export async function openStoreUrl(text: string, options: OpenStoreUrlOptions = {}): Promise<AnyStore> {
  const url = withParameters(parseStoreUrl(text), options.parameters ?? {});
  const opener = Object.hasOwn(OPENERS, url.scheme) ? OPENERS[url.scheme] : undefined;
  if (opener !== undefined) return opener(url, options);
  throw new CodedError(
    "store-url.unknown-scheme",
    `Cannot open the store ${JSON.stringify(text)}: there is no kind of store called "${url.scheme}"`,
    { hint: `There are ${Object.keys(OPENERS).join(", ")}, and directories.` },
  );
}

function withParameters(url: StoreUrl, others: Readonly<Record<string, string | undefined>>): StoreUrl {
  const parameters = new Map(url.parameters);
  for (const [name, value] of Object.entries(others)) if (value !== undefined) parameters.set(name, value);
  return { ...url, parameters };
}

/** The machine's own store: directly where we may write to it, else by its daemon, else one of the user's. */
async function openAuto(url: StoreUrl, options: OpenStoreUrlOptions): Promise<AnyStore> {
  const { defaultStoreRoot } = await import("../local-store/index.ts");
  if (url.parameters.has("root") || defaultStoreRoot() === "/") return openLocal(url, options);
  const { isDaemonThere, openDaemonStore } = await import("../remote-store/index.ts");
  return (await isDaemonThere()) ? openDaemonStore({ ...url, address: "daemon" }) : openLocal(url, options);
}

async function openLocal(url: StoreUrl, options: OpenStoreUrlOptions): Promise<AnyStore> {
  const { layoutOf, openLocalStore } = await import("../local-store/index.ts");
  return openLocalStore({ root: layoutOf(url, options) });
}

async function openWebCache(url: StoreUrl, { signal, http, ...options }: OpenStoreUrlOptions): Promise<AnyStore> {
  const { HttpTransport } = await import("../binary-cache/index.ts");
  const address = URL.parse(url.address);
  if (address === null)
    throw new CodedError("store-url.malformed", `Cannot read ${JSON.stringify(url.address)} as an address of the web`);
  const { openAccess } = await import("../fetch/access.ts");
  return openCache(new HttpTransport(address, { access: openAccess(), ...http, signal }), url, options);
}

async function openS3Cache(url: StoreUrl, { signal, http, ...options }: OpenStoreUrlOptions): Promise<AnyStore> {
  const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]+)(?:\/(.*?))?\/*$/.exec(url.address) ?? [];
  const scheme = url.parameters.get("scheme") ?? "https";
  if (bucket === undefined || (scheme !== "http" && scheme !== "https")) {
    throw new CodedError(
      "store-url.malformed",
      `Cannot read ${JSON.stringify(url.address)} as the address of a bucket`,
      {
        hint: "Write `s3://BUCKET?region=eu-central-1`, with `endpoint=HOST:PORT` and `scheme=http` for a service of your own.",
      },
    );
  }
  const { S3Transport } = await import("../binary-cache/s3-transport.ts");
  const { readAwsSettings } = await import("../binary-cache/index.ts");
  const profile = url.parameters.get("profile");
  const { credentials, region } = readAwsSettings({ environment: process.env, home: homedir(), profile });
  const place = {
    bucket,
    prefix,
    region: url.parameters.get("region") ?? region ?? "us-east-1",
    endpoint: url.parameters.get("endpoint"),
    scheme,
  } as const;
  return openCache(new S3Transport(place, { ...http, signal, credentials }), url, options);
}

async function openCache(
  transport: BinaryCacheOptions["transport"],
  url: StoreUrl,
  { create = false, memory }: OpenStoreUrlOptions,
): Promise<AnyStore> {
  const { openBinaryCache, parseCompression } = await import("../binary-cache/index.ts");
  const compression = url.parameters.get("compression");
  const keyFile = url.parameters.get("secret-key");
  return openBinaryCache(
    {
      transport,
      compression: compression === undefined ? undefined : parseCompression(compression),
      compressionLevel: numberParameter(url, "compression-level"),
      secretKey: keyFile === undefined ? undefined : (await import("../signing/index.ts")).readSecretKey(keyFile),
      writeListings: switchParameter(url, "write-nar-listing"),
      priority: numberParameter(url, "priority"),
      wantMassQuery: switchParameter(url, "want-mass-query"),
      trusted: switchParameter(url, "trusted"),
    },
    { create, memory },
  );
}

function directoryOf({ address }: StoreUrl): string {
  try {
    return fileURLToPath(address);
  } catch (cause) {
    throw new CodedError(
      "store-url.malformed",
      `Cannot read ${JSON.stringify(address)} as the address of a directory: ${(cause as Error).message}`,
      { cause },
    );
  }
}
