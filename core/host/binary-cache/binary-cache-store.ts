import { rmSync } from "node:fs";
import {
  CodedError,
  equalHashes,
  formatHash,
  fromUtf8,
  hashBytes,
  makeHasher,
  sortedText,
  utf8,
} from "../../base/index.ts";
import {
  CACHE_INFO_TYPE,
  type CacheInfo,
  checkNar,
  checkRegistrable,
  closureOf,
  ContentCheck,
  dumpFileNar,
  formatCacheInfo,
  formatContentAddress,
  formatNarInfo,
  formatRealisation,
  makeTextPath,
  type NarInfo,
  notValid,
  parseCacheInfo,
  parseNarInfo,
  parseRealisation,
  type PathInfo,
  type Realisation,
  realisationFile,
  type SecretKey,
  signPathInfo,
  signRealisation,
  STORE_DIRECTORY,
  type StoreGraph,
  type StorePath,
  type StoreQueries,
  type StoreReader,
  type StoreWriter,
  storePathDigest,
  withSignatures,
} from "../../store/index.ts";
import { ed25519 } from "../signing/index.ts";
import { type Compression, compressionExtension } from "./compression.ts";
import { decompress, type DecompressOptions } from "./decompress.ts";
import { forEachParallel } from "./parallel.ts";
import { spoolArchive } from "./spool.ts";
import type { CacheTransport } from "./transport.ts";

export interface BinaryCacheOptions {
  readonly transport: CacheTransport;
  /** Of archives that are written. Default zstd. */
  readonly compression?: Compression | undefined;
  /** In the compression's own numbers. */
  readonly compressionLevel?: number | undefined;
  /** Signs every object that is written. */
  readonly secretKey?: SecretKey | undefined;
  /** Write a listing (`.ls`) beside each narinfo. Default false. */
  readonly writeListings?: boolean | undefined;
  /** Overrides what the cache says of itself. */
  readonly priority?: number | undefined;
  readonly wantMassQuery?: boolean | undefined;
  /** Whether objects of this cache need no signature. Default false. */
  readonly trusted?: boolean | undefined;
}

/** What a cache said of itself the last time, as long as that counts. */
export interface CacheInfoMemory {
  find(): string | undefined;
  keep(text: string): void;
}

export interface OpenBinaryCacheOptions {
  /** Make a cache of a place that is none and can be written to. Default false. */
  readonly create?: boolean | undefined;
  /** Asked before the cache. Default the cache is asked each time. */
  readonly memory?: CacheInfoMemory | undefined;
}

const CACHE_INFO_FILE = "nix-cache-info";
const NARINFO_TYPE = "text/x-nix-narinfo";
const ARCHIVE_TYPE = "application/x-nix-nar";
/** Generous: an object that refers to ten thousand others needs half a megabyte. */
const LONGEST_NARINFO = 4 * 1024 * 1024;
const LONGEST_CACHE_INFO = 64 * 1024;
/** Questions that are under way at once. */
const QUESTIONS = 25;

/**
 * A store whose objects lie as compressed archives in a cache, each described by a narinfo file.
 *
 * What comes out was checked: the narinfo is about the path that was asked for, and an archive is what the narinfo says. Whether
 * the narinfo is to be believed is judged by whoever takes the object in (`checkTrusted`).
 *
 * Every method may throw what {@link isCacheFault} is true for.
 */
export class BinaryCacheStore implements StoreQueries, StoreReader, StoreWriter, Pick<StoreGraph, "closure"> {
  readonly storeDirectory: string = STORE_DIRECTORY;
  /** What the cache says of itself, with what the caller knows better. */
  readonly info: CacheInfo;
  readonly trusted: boolean;
  readonly #transport: CacheTransport;
  readonly #options: BinaryCacheOptions;
  /** What was found, by digest. What was not found may be there the next time. */
  readonly #found = new Map<string, Promise<NarInfo | undefined>>();

  /** Use {@link openBinaryCache}. */
  constructor(options: BinaryCacheOptions, info: CacheInfo) {
    this.#options = options;
    this.#transport = options.transport;
    this.info = info;
    this.trusted = options.trusted === true;
  }

  /** For people. */
  get address(): string {
    return this.#transport.address;
  }

  async isValid(path: StorePath): Promise<boolean> {
    return (await this.queryPathInfo(path)) !== undefined;
  }

  async queryPathInfo(path: StorePath): Promise<NarInfo | undefined> {
    const info = await this.#lookUp(storePathDigest(path));
    if (info === undefined || info.path === path) return info;
    throw new CodedError(
      "cache.wrong-path",
      `Cannot use what the cache "${this.address}" says of "${path}": its narinfo is about "${info.path}"`,
    );
  }

  async queryByDigest(digest: string): Promise<StorePath | undefined> {
    return (await this.#lookUp(digest))?.path;
  }

  async closure(paths: Iterable<StorePath>): Promise<StorePath[]> {
    const infos = new Map<StorePath, NarInfo>();
    for (let front = new Set(paths); front.size > 0; ) {
      await forEachParallel(front, QUESTIONS, async (path) => {
        const info = await this.queryPathInfo(path);
        if (info === undefined) throw notValid(path);
        infos.set(path, info);
      });
      front = new Set(
        [...front].flatMap((path) => infos.get(path)?.references ?? []).filter((path) => !infos.has(path)),
      );
    }
    return closureOf(paths, (path) => infos.get(path)?.references ?? []);
  }

  /**
   * @throws {CodedError} `store.not-valid`, `store.nar-mismatch`, `cache.file-mismatch`, `cache.file-missing`,
   *   `cache.compression-malformed`, `cache.unreachable`
   */
  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    const info = await this.queryPathInfo(path);
    if (info === undefined) throw notValid(path);
    const hasher = makeHasher("sha256");
    let narSize = 0;
    for await (const piece of this.readArchive(info)) {
      hasher.update(piece);
      narSize += piece.length;
      yield piece;
    }
    checkNar(info, { narHash: hasher.digest(), narSize });
  }

  /**
   * The archive a narinfo speaks of, for callers that compare its hash themselves (`importNar` of every store does). The file
   * is compared with its own hash and size, and there are never more bytes than the narinfo says.
   */
  readArchive(info: NarInfo, options: DecompressOptions = {}): AsyncIterable<Uint8Array> {
    return decompress(this.#readFile(info, options), info.compression, info.narSize, options);
  }

  async addText(name: string, contents: string, references: readonly StorePath[]): Promise<StorePath> {
    const path = makeTextPath(name, contents, references);
    const nar = dumpFileNar(utf8(contents));
    const info: PathInfo = {
      path,
      narHash: hashBytes("sha256", nar),
      narSize: nar.length,
      references: sortedText(new Set(references)) as StorePath[],
      signatures: [],
      ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) }),
    };
    await this.importNar(
      info,
      (async function* () {
        yield nar;
      })(),
    );
    return path;
  }

  async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.isValid(info.path)) return;
    await this.publish(await this.putArchive(info, nar));
  }

  /**
   * The first half of {@link importNar}: write the archive, so that only the narinfo is missing. Order among objects is free.
   *
   * @throws {CodedError} `store.nar-mismatch`, `store.content-address-mismatch`, `nar.malformed`, `cache.not-writable`
   */
  async putArchive(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<NarInfo> {
    const { compression = "zstd", compressionLevel: level, writeListings } = this.#options;
    const directory = this.#transport.spoolDirectory();
    const check = new ContentCheck(info);
    const { file, fileHash, narHash, narSize, listing } = await spoolArchive(check.watch(nar), {
      directory,
      compression,
      level,
    });
    const url = `nar/${formatHash(fileHash, "base32")}.nar${compressionExtension(compression)}`;
    try {
      checkNar(info, { narHash, narSize });
      check.finish(narHash);
      if (!(await this.#transport.exists(url))) await this.#transport.write(url, file, ARCHIVE_TYPE);
    } finally {
      rmSync(file.path, { force: true });
    }
    if (writeListings === true) {
      const text = JSON.stringify({ version: 1, root: listing });
      await this.#transport.write(`${storePathDigest(info.path)}.ls`, utf8(text), "application/json");
    }
    return { ...info, url, compression, fileHash, fileSize: file.sizeBytes };
  }

  /**
   * The second half of {@link importNar}: write the narinfo, signed. What it refers to must be there already.
   *
   * @throws {CodedError} `store.reference-not-valid`, `store.content-address-mismatch`, `cache.not-writable`
   */
  async publish(info: NarInfo): Promise<void> {
    const valid = new Set<StorePath>();
    await forEachParallel(info.references, QUESTIONS, async (path) => {
      if (path === info.path || (await this.isValid(path))) valid.add(path);
    });
    checkRegistrable(info, (path) => valid.has(path));
    const { secretKey } = this.#options;
    const signed = secretKey === undefined ? info : withSignatures(info, [signPathInfo(info, secretKey, ed25519)]);
    const { registrationTime: _, ultimate: __, ...facts } = signed;
    await this.#transport.write(narInfoName(info.path), utf8(formatNarInfo(facts)), NARINFO_TYPE);
    this.#remember(storePathDigest(info.path), Promise.resolve(facts));
  }

  /**
   * Write further signatures of an object.
   *
   * @throws {CodedError} `store.not-valid`
   */
  async addSignatures(path: StorePath, signatures: Iterable<string>): Promise<void> {
    const info = await this.queryPathInfo(path);
    if (info === undefined) throw notValid(path);
    const signed = withSignatures(info, signatures);
    if (signed.signatures.length === info.signatures.length) return;
    await this.#transport.write(narInfoName(path), utf8(formatNarInfo(signed)), NARINFO_TYPE);
    this.#remember(storePathDigest(path), Promise.resolve(signed));
  }

  /** What an output became that is addressed by its content. Nobody has judged its signatures. */
  async queryRealisation(id: string): Promise<Realisation | undefined> {
    const bytes = await this.#transport.read(realisationFile(id), LONGEST_NARINFO);
    if (bytes === undefined) return undefined;
    const realisation = parseRealisation(fromUtf8(bytes));
    if (realisation.id === id) return realisation;
    throw new CodedError(
      "cache.wrong-realisation",
      `Cannot use what the cache "${this.address}" says of "${id}": its file is about "${realisation.id}"`,
    );
  }

  /** Write what an output became, signed; its object must be there already. One that is there stays as it is. */
  async addRealisation(realisation: Realisation): Promise<void> {
    const file = realisationFile(realisation.id);
    if (await this.#transport.exists(file)) return;
    const { secretKey } = this.#options;
    const own = secretKey === undefined ? [] : [signRealisation(realisation, secretKey, ed25519)];
    const signatures = [...realisation.signatures, ...own];
    await this.#transport.write(file, utf8(formatRealisation({ ...realisation, signatures })), "application/json");
  }

  /** Another file of the cache, such as a build log; `undefined` when it is not there. */
  readFile(name: string, limitBytes: number): Promise<Uint8Array | undefined> {
    return this.#transport.read(name, limitBytes);
  }

  writeFile(name: string, contents: Uint8Array, type: string): Promise<void> {
    return this.#transport.write(name, contents, type);
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #lookUp(digest: string): Promise<NarInfo | undefined> {
    const known = this.#found.get(digest);
    if (known !== undefined) return known;
    const question = this.#readNarInfo(digest);
    this.#remember(digest, question);
    const forget = (): void => {
      if (this.#found.get(digest) === question) this.#found.delete(digest);
    };
    question.then((info) => {
      if (info === undefined) forget();
    }, forget);
    return question;
  }

  #remember(digest: string, question: Promise<NarInfo | undefined>): void {
    // An hour of a busy program asks for less; nothing is lost but time.
    if (this.#found.size > 100_000) this.#found.clear();
    this.#found.set(digest, question);
  }

  async #readNarInfo(digest: string): Promise<NarInfo | undefined> {
    const name = `${digest}.narinfo`;
    const bytes = await this.#transport.read(name, LONGEST_NARINFO);
    if (bytes === undefined) return undefined;
    try {
      const info = parseNarInfo(fromUtf8(bytes), this.storeDirectory);
      if (storePathDigest(info.path) === digest) return info;
      throw new CodedError("cache.wrong-path", `Cannot read the narinfo: it is about "${info.path}"`);
    } catch (cause) {
      if (!(cause instanceof CodedError)) throw cause;
      throw new CodedError(cause.code, `${cause.message} ("${name}" of the cache "${this.address}")`, { cause });
    }
  }

  async *#readFile(
    { path, url, compression, fileHash, fileSize, narHash, narSize }: NarInfo,
    options: DecompressOptions,
  ): AsyncGenerator<Uint8Array> {
    // The hash of an archive that is not compressed is compared anyway.
    const hasher =
      fileHash === undefined || (compression === "none" && equalHashes(fileHash, narHash))
        ? undefined
        : makeHasher(fileHash.algorithm);
    const exactly = fileSize === undefined || fileSize === 0 ? undefined : fileSize;
    const limit = exactly ?? longestFile(narSize);
    let size = 0;
    const check = (wrong: boolean, found: string): void => {
      if (!wrong) return;
      throw new CodedError(
        "cache.file-mismatch",
        `Cannot use "${url}" of the cache "${this.address}" for "${path}": ${found}`,
      );
    };
    for await (const piece of this.#transport.stream(url, options)) {
      size += piece.length;
      check(
        size > limit,
        `it has more than ${exactly === undefined ? `the ${limit} bytes its archive can take` : `the ${limit} bytes its narinfo says`}`,
      );
      hasher?.update(piece);
      yield piece;
    }
    check(exactly !== undefined && size < limit, `it has ${size} bytes, and its narinfo says ${limit}`);
    if (hasher === undefined || fileHash === undefined) return;
    const found = hasher.digest();
    check(
      !equalHashes(found, fileHash),
      `found the hash ${formatHash(found, "sri")}, and its narinfo says ${formatHash(fileHash, "sri")}`,
    );
  }
}

/**
 * What a file may have of which the narinfo says no size: no compression makes an archive longer by an eighth. Frames without contents
 * could follow each other for ever.
 */
function longestFile(narSize: number): number {
  return narSize + Math.floor(narSize / 8) + 64 * 1024;
}

/**
 * Open the cache that a transport reaches.
 *
 * @throws {CodedError} `cache.unreachable`, `cache.store-directory`, `cache-info.malformed`, `cache.not-a-cache`,
 *   `cache.not-writable`
 */
export async function openBinaryCache(
  options: BinaryCacheOptions,
  { create = false, memory }: OpenBinaryCacheOptions = {},
): Promise<BinaryCacheStore> {
  const { transport } = options;
  const known = memory?.find();
  const bytes = known === undefined ? await transport.read(CACHE_INFO_FILE, LONGEST_CACHE_INFO) : utf8(known);
  let info: CacheInfo = { storeDirectory: STORE_DIRECTORY, wantMassQuery: false, priority: 0 };
  if (bytes !== undefined) {
    info = parseCacheInfo(fromUtf8(bytes));
  } else if (create && transport.writable) {
    await transport.write(CACHE_INFO_FILE, utf8(formatCacheInfo(info)), CACHE_INFO_TYPE);
  } else {
    throw new CodedError(
      "cache.not-a-cache",
      `Cannot use "${transport.address}" as a binary cache: it has no ${CACHE_INFO_FILE}`,
    );
  }
  if (info.storeDirectory !== undefined && info.storeDirectory !== STORE_DIRECTORY) {
    throw new CodedError(
      "cache.store-directory",
      `Cannot use the cache "${transport.address}": its objects are for "${info.storeDirectory}", expected "${STORE_DIRECTORY}"`,
    );
  }
  if (bytes !== undefined && known === undefined) memory?.keep(fromUtf8(bytes));
  const { priority = info.priority, wantMassQuery = info.wantMassQuery } = options;
  return new BinaryCacheStore(options, { ...info, priority, wantMassQuery });
}

function narInfoName(path: StorePath): string {
  return `${storePathDigest(path)}.narinfo`;
}
