import { closeSync, existsSync, lstatSync, openSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { CodedError, equalHashes, formatHash, type Hash, toBase32 } from "../../base/index.ts";
import {
  goodSignatures,
  isVerifiablyContentAddressed,
  LINKS_NAME,
  type PathInfo,
  type PublicKey,
  type StorePath,
} from "../../store/index.ts";
import { type LocalStore, lockFile, type RecordedContents } from "../local-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import { findMissing } from "./find-missing.ts";
import { type HashedObject, hashObjects } from "./hash-objects.ts";

export interface VerifyOptions {
  /** Default: all of the store, with `.links` when contents are looked at. */
  readonly paths?: readonly StorePath[] | undefined;
  /** Hash what the objects hold. Default false. */
  readonly contents?: boolean;
  /** Signatures by different trusted keys an object needs that its content does not certify. Default 0: they are not looked at. */
  readonly signaturesNeeded?: number;
  readonly trustedKeys?: readonly PublicKey[];
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * `missing`: not on disk. `damaged`: its contents are not what was registered. `incomplete`: it refers to something that is missing.
 * `link`: a file below `.links` whose contents are not those its name tells. `unreadable`: reading failed. `untrusted`: too few
 * signatures.
 */
export type FaultKind = "missing" | "damaged" | "incomplete" | "link" | "unreadable" | "untrusted";

export interface StoreFault {
  readonly kind: FaultKind;
  /** A store path; of a link its place on the host. */
  readonly path: string;
  /** What was found, for people. */
  readonly found: string;
}

export interface Findings {
  readonly checked: number;
  readonly faults: readonly StoreFault[];
  /** Objects that are gone and that nothing refers to: they need not be valid. */
  readonly gone: readonly StorePath[];
  /** Objects registered without hash or size, with both. */
  readonly unhashed: readonly PathInfo[];
  /** Objects with files whose mode, owner or time is not canonical. The contents are right. */
  readonly metadata: readonly {
    readonly path: StorePath;
    readonly files: number;
    readonly examples: readonly string[];
  }[];
}

const UNKNOWN_HASH_BYTE = 0;

/**
 * Compare a store with what it has recorded. Nothing is changed; see `settle` and `repair`. A collection waits meanwhile.
 *
 * @throws {CodedError} `store.not-valid` for a given path that the store does not have
 */
export async function verifyStore(store: LocalStore, options: VerifyOptions = {}): Promise<Findings> {
  const { paths, contents = false, signaturesNeeded = 0 } = options;
  if (paths === undefined && !contents && signaturesNeeded === 0) {
    // Where nothing is missing, nothing was being deleted either; else it is worth looking again while no collection runs.
    const { checked, missing } = await findMissing(store);
    if (missing.length === 0) return { checked, faults: [], gone: [], unhashed: [], metadata: [] };
  }
  const release = await holdOffCollector(store, options.signal);
  try {
    return await new Verification(store, options).run();
  } finally {
    release();
  }
}

/** Shared, as Nix holds it: what a collection is just deleting would look missing. */
async function holdOffCollector(store: LocalStore, signal: AbortSignal | undefined): Promise<() => void> {
  if (store.layout.immutable) return () => {};
  const file = join(store.stateDirectory, "gc.lock");
  if (!existsSync(file)) return () => {};
  const fd = openSync(file, "r");
  try {
    await lockFile(fd, "shared", { wait: true, signal });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return () => closeSync(fd);
}

class Verification {
  readonly #store: LocalStore;
  readonly #options: VerifyOptions;
  readonly #faults: StoreFault[] = [];
  readonly #unhashed: PathInfo[] = [];
  readonly #metadata: Findings["metadata"][number][] = [];

  constructor(store: LocalStore, options: VerifyOptions) {
    this.#store = store;
    this.#options = options;
  }

  async run(): Promise<Findings> {
    const { paths, contents = false, signaturesNeeded = 0 } = this.#options;
    const checked = paths ?? this.#store.allPaths();
    // Rows first: the files of each of them were there before it was.
    const missing = this.#missingOf(paths ?? (await findMissing(this.#store)).missing);
    const gone = this.#judgeMissing(missing);
    const present = missing.size === 0 ? checked : checked.filter((path) => !missing.has(path));
    if (signaturesNeeded > 0) for (const path of present) this.#checkTrust(this.#infoOf(path), signaturesNeeded);
    if (contents) {
      const recorded =
        paths === undefined ? this.#store.allContents() : present.map((path): RecordedContents => this.#infoOf(path));
      await this.#checkContents(missing.size === 0 ? recorded : recorded.filter(({ path }) => !missing.has(path)));
    }
    if (contents && paths === undefined) await this.#checkLinks();
    return {
      checked: checked.length,
      faults: this.#faults,
      gone,
      unhashed: this.#unhashed,
      metadata: this.#metadata,
    };
  }

  #infoOf(path: StorePath): PathInfo {
    const info = this.#store.queryPathInfo(path);
    if (info !== undefined) return info;
    throw new CodedError("store.not-valid", `Cannot look at "${path}": it is not in the store`, {
      hint: "`floe build` of the derivation it comes from makes it.",
    });
  }

  #missingOf(paths: readonly StorePath[]): Set<StorePath> {
    return new Set(
      paths.filter((path) => {
        this.#infoOf(path);
        return lstatSync(this.#store.realPath(path), { throwIfNoEntry: false }) === undefined;
      }),
    );
  }

  /** What only missing objects refer to is gone; what others need is a fault, theirs as well. */
  #judgeMissing(missing: ReadonlySet<StorePath>): StorePath[] {
    const needed = new Set<StorePath>();
    const incomplete = new Map<StorePath, StorePath>();
    const queue: StorePath[] = [];
    for (const path of missing) {
      const user = this.#store.queryReferrers(path).find((referrer) => !missing.has(referrer));
      // Rows of a lower store are not ours to forget.
      if (user === undefined && !this.#store.isShared(path)) continue;
      needed.add(path);
      queue.push(path);
    }
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      for (const referrer of this.#store.queryReferrers(path))
        if (!missing.has(referrer)) incomplete.set(referrer, path);
      for (const reference of this.#store.queryPathInfo(path)?.references ?? []) {
        if (!missing.has(reference) || needed.has(reference)) continue;
        needed.add(reference);
        queue.push(reference);
      }
    }
    for (const path of needed) this.#faults.push({ kind: "missing", path, found: "it is not on disk" });
    for (const [path, absent] of incomplete)
      this.#faults.push({ kind: "incomplete", path, found: `it refers to ${absent}, which is not on disk` });
    return [...missing].filter((path) => !needed.has(path));
  }

  #checkTrust(info: PathInfo, needed: number): void {
    if (isVerifiablyContentAddressed(info)) return;
    const keys = goodSignatures(info, this.#options.trustedKeys ?? [], ed25519).length;
    if (keys < needed)
      this.#faults.push({ kind: "untrusted", path: info.path, found: `${keys} of ${needed} trusted keys signed it` });
  }

  async #checkContents(infos: readonly RecordedContents[]): Promise<void> {
    const hashed = await this.#hash(
      infos.map(({ path, narSize }) => ({ path: this.#store.realPath(path), sizeBytes: narSize })),
    );
    for (const [index, info] of infos.entries()) this.#judgeContents(info, hashed[index] as HashedObject);
  }

  #judgeContents(info: RecordedContents, { hash, fault, metadata, metadataFaults }: HashedObject): void {
    const { path } = info;
    if (hash === undefined) {
      this.#faults.push({ kind: kindOf(fault?.code), path, found: fault?.message ?? "it cannot be read" });
      return;
    }
    const known = info.narHash.digest.some((byte) => byte !== UNKNOWN_HASH_BYTE);
    if (known && !equalHashes(info.narHash, hash.narHash)) {
      this.#faults.push({ kind: "damaged", path, found: differs(info.narHash, hash.narHash) });
      return;
    }
    if (!known || info.narSize === 0) this.#unhashed.push({ ...this.#infoOf(path), ...hash });
    else if (info.narSize !== hash.narSize)
      this.#faults.push({ kind: "damaged", path, found: `${hash.narSize} bytes, registered ${info.narSize}` });
    if (metadataFaults > 0) this.#metadata.push({ path, files: metadataFaults, examples: metadata });
  }

  async #checkLinks(): Promise<void> {
    const folder = join(this.#store.layout.ownDirectory, LINKS_NAME);
    if (!existsSync(folder)) return;
    const links = readdirSync(folder).map((name) => join(folder, name));
    const hashed = await this.#hash(
      links.map((path) => ({ path, sizeBytes: lstatSync(path, { throwIfNoEntry: false })?.size ?? 0 })),
    );
    for (const [index, path] of links.entries()) {
      const { hash, fault } = hashed[index] as HashedObject;
      if (hash === undefined)
        this.#faults.push({ kind: "unreadable", path, found: fault?.message ?? "it cannot be read" });
      else if (toBase32(hash.narHash.digest) !== path.slice(path.lastIndexOf("/") + 1))
        this.#faults.push({ kind: "link", path, found: `its contents are those of ${toBase32(hash.narHash.digest)}` });
    }
  }

  #hash(objects: Parameters<typeof hashObjects>[0]): ReturnType<typeof hashObjects> {
    const { threads, signal, onProgress } = this.#options;
    let done = 0;
    return hashObjects(objects, {
      ...(threads === undefined ? {} : { threads }),
      signal,
      onHashed: () => onProgress?.(++done, objects.length),
    });
  }
}

/** A device where a file should be is damage; a disk that does not answer is not. */
function kindOf(code: string | undefined): FaultKind {
  return code?.startsWith("files.") === true || code === "source.missing" ? "damaged" : "unreadable";
}

function differs(registered: Hash, found: Hash): string {
  return `found ${formatHash(found, "sri")}, registered ${formatHash(registered, "sri")}`;
}
