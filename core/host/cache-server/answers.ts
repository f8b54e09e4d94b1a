import { formatHash, hashBytes, toBase16, utf8 } from "../../base/index.ts";
import {
  CACHE_INFO_TYPE,
  formatCacheInfo,
  formatNarInfo,
  NarLister,
  type PathInfo,
  type SecretKey,
  signPathInfo,
  storePathDigest,
  tryParseStorePath,
  withSignatures,
} from "../../store/index.ts";
import { readBuildLog } from "../build-log/index.ts";
import { dumpTree, walkNar } from "../files/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";

/** What a server offers, and how. */
export interface Offer {
  readonly store: LocalStore;
  /** Of archives on their way. */
  readonly compression: "none" | "zstd";
  /** Signs every object on the way out, beside the signatures it has. */
  readonly secretKey?: SecretKey | undefined;
  readonly priority: number;
}

/** What a request is answered with. */
export type Answer =
  | { readonly kind: "absent" }
  | { readonly kind: "bytes"; readonly type: string; readonly bytes: Uint8Array; readonly tag: string }
  | {
      readonly kind: "archive";
      readonly pieces: () => AsyncIterable<Uint8Array>;
      readonly compression: Offer["compression"];
      /** Of the archive as it is, without compression. */
      readonly sizeBytes: number;
      readonly tag: string;
    };

const ABSENT: Answer = { kind: "absent" };
const DIGEST = "([0-9a-df-np-sv-z]{32})";
const NARINFO = new RegExp(`^/${DIGEST}\\.narinfo$`);
const LISTING = new RegExp(`^/${DIGEST}\\.ls$`);
const ARCHIVE = new RegExp(`^/nar/${DIGEST}-([0-9a-df-np-sv-z]{52})\\.nar(\\.zst)?$`);
const LOG = /^\/log\/([^/]+\.drv)$/;

/**
 * Find the answer to a path of the cache. Names are digests and base names of store paths and are looked up in the database, so
 * there is no way to a file that belongs to no valid object.
 */
export async function answerTo(path: string, offer: Offer): Promise<Answer> {
  const { store } = offer;
  if (path === "/nix-cache-info") {
    const { storeDirectory } = store;
    return text(CACHE_INFO_TYPE, formatCacheInfo({ storeDirectory, wantMassQuery: true, priority: offer.priority }));
  }
  const info = byDigest(store, NARINFO.exec(path)?.[1]);
  if (info !== undefined) return text("text/x-nix-narinfo", describe(info, offer));
  const listed = byDigest(store, LISTING.exec(path)?.[1]);
  if (listed !== undefined) return text("application/json", await list(store.realPath(listed.path)));
  const [, digest, hash, extension] = ARCHIVE.exec(path) ?? [];
  const archived = byDigest(store, digest);
  if (archived !== undefined) {
    // The hash in the name pins the contents: an address never gives anything else, so it may be kept by whoever passes it on.
    const compression = extension === undefined ? "none" : "zstd";
    if (formatHash(archived.narHash, "base32") !== hash) return ABSENT;
    return {
      kind: "archive",
      pieces: () => dumpTree(store.realPath(archived.path)),
      compression,
      sizeBytes: archived.narSize,
      tag: `"${hash}${extension ?? ""}"`,
    };
  }
  const drvPath = tryParseStorePath(`${store.storeDirectory}/${LOG.exec(path)?.[1] ?? ""}`);
  const log = drvPath === undefined ? undefined : await readBuildLog(store, drvPath);
  return log === undefined ? ABSENT : bytes("text/plain; charset=utf-8", log);
}

function byDigest(store: LocalStore, digest: string | undefined): PathInfo | undefined {
  const path = digest === undefined ? undefined : store.queryByDigest(digest);
  const info = path === undefined ? undefined : store.queryPathInfo(path);
  // Without the size of its archive nobody could check it.
  return info !== undefined && info.narSize > 0 ? info : undefined;
}

function describe(info: PathInfo, { secretKey, compression }: Offer): string {
  const signed = secretKey === undefined ? info : withSignatures(info, [signPathInfo(info, secretKey, ed25519)]);
  const name = `${storePathDigest(info.path)}-${formatHash(info.narHash, "base32")}.nar`;
  // What is compressed on the way has neither a size nor a hash beforehand; both are optional.
  const file =
    compression === "none"
      ? { url: `nar/${name}`, fileHash: info.narHash, fileSize: info.narSize }
      : { url: `nar/${name}.zst` };
  return formatNarInfo({ ...signed, ...file, compression });
}

async function list(realPath: string): Promise<string> {
  const lister = new NarLister();
  let turn = performance.now();
  for (const piece of walkNar(realPath)) {
    lister.push(piece);
    if (performance.now() - turn < 10) continue;
    await new Promise(setImmediate);
    turn = performance.now();
  }
  return JSON.stringify({ version: 1, root: lister.finish() });
}

function text(type: string, contents: string): Answer {
  return bytes(type, utf8(contents));
}

function bytes(type: string, contents: Uint8Array): Answer {
  return {
    kind: "bytes",
    type,
    bytes: contents,
    tag: `"${toBase16(hashBytes("sha256", contents).digest.slice(0, 16))}"`,
  };
}
