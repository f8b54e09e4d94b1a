import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { SubstitutionSettings } from "../../build/index.ts";
import { type NarInfo, type StorePath, storePathBaseName } from "../../store/index.ts";
import { BinaryCacheStore, DEFAULT_HTTP_TIMEOUTS } from "../binary-cache/index.ts";
import { readBuildLog } from "../build-log/index.ts";
import { layoutOf, openLocalStore, parseStoreUrl } from "../local-store/index.ts";
import { openStoreUrl } from "../stores/index.ts";
import { LookupCache } from "./lookup-cache.ts";
import { remembering } from "./remembering.ts";
import type { Substituter } from "./substituter.ts";
import { Substituters } from "./substituters.ts";

export interface OpenSubstitutersOptions {
  readonly settings: SubstitutionSettings;
  /** Relative directories begin here. */
  readonly cwd: string;
  /** Use only stores of this machine. Default false. */
  readonly offline?: boolean | undefined;
  /** Ask anew what is remembered of distant caches. Default false. */
  readonly refresh?: boolean | undefined;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Waiting for a cache delays a build that could begin without it. */
const CONNECT_MS = 5000;

/** More of a log nobody reads; it is kept in memory. */
const LONGEST_LOG = 256 * 1024 * 1024;

/** Schemes of stores that are on this machine, and answer faster than we could remember. */
const NEAR = new Set(["auto", "local", "local-overlay", "daemon", "file", "unix"]);

/** The stores that settings and flags name; they are opened when the first question comes. Close them at the end. */
export function openSubstituters(options: OpenSubstitutersOptions): Substituters {
  const { settings, offline = false, refresh = false, warn } = options;
  let lookups: LookupCache | undefined;
  const addresses = settings.substituters.filter((address) => !offline || isNearStore(address));
  return new Substituters({
    sources: addresses.map((url) => ({
      url,
      async open() {
        if (isNearStore(url)) return openOne(url, options);
        lookups ??= new LookupCache();
        return remembering(await openOne(url, options, lookups), lookups, { refresh });
      },
    })),
    trustedKeys: settings.trustedKeys,
    requireSignatures: settings.requireSignatures,
    warn,
    closed: () => lookups?.close(),
  });
}

async function openOne(
  url: string,
  { cwd, signal, refresh = false }: OpenSubstitutersOptions,
  lookups?: LookupCache,
): Promise<Substituter> {
  const address = parseStoreUrl(url);
  const { scheme, parameters } = address;
  const priority = Number(parameters.get("priority") ?? 0);
  const trusted = ["1", "true"].includes(parameters.get("trusted") ?? "");
  if (scheme === "local" || scheme === "local-overlay" || scheme === "auto") {
    // Taking from a store is no reason to make it or to write to it.
    const store = openLocalStore({ root: layoutOf(address, { cwd }), readOnly: true });
    return {
      url,
      priority,
      trusted,
      store,
      readLog: (drvPath) => readBuildLog(store, drvPath),
      queryRealisation: (id) => store.queryRealisation(id),
      close: () => store.close(),
    };
  }
  const http = { timeouts: { ...DEFAULT_HTTP_TIMEOUTS, connectMs: CONNECT_MS } };
  const memory = lookups && {
    find: () => (refresh ? undefined : lookups.findCacheInfo(url)),
    keep: (text: string) => lookups.rememberCacheInfo(url, text),
  };
  const store = await openStoreUrl(url, { cwd, signal, http, memory });
  const close = (): void => store.close();
  if (!(store instanceof BinaryCacheStore)) return { url, priority, trusted, store, close };
  return {
    url,
    priority: store.info.priority,
    trusted: store.trusted,
    store,
    readArchive: (info) => store.readArchive(info as NarInfo, { reuse: true }),
    queryRealisation: (id) => store.queryRealisation(id),
    readLog: async (drvPath) => unpackLog(await store.readFile(`log/${storePathBaseName(drvPath)}`, LONGEST_LOG)),
    close,
  };
}

/** Some caches hold logs compressed, without saying so in the name. */
function unpackLog(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const limit = { maxOutputLength: LONGEST_LOG };
  if (bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f) return zstdDecompressSync(bytes, limit);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync(bytes, limit);
  return bytes;
}

/** Whether a store is on this machine. */
export function isNearStore(address: string): boolean {
  try {
    return NEAR.has(parseStoreUrl(address).scheme);
  } catch {
    // Opening it tells what is wrong.
    return true;
  }
}

/** Let the next build ask a cache for paths that were just uploaded to it, although it lately said it had not got them. */
export function forgetLookups(url: string, paths: Iterable<StorePath>): void {
  if (isNearStore(url)) return;
  const lookups = new LookupCache();
  lookups.forget(url, paths);
  lookups.close();
}
