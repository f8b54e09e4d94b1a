import { CodedError, type Hash, makeHasher, sortedText } from "../base/index.ts";
import { closureOf, type ReferencesOf } from "./closure.ts";
import { checkNar, notValid } from "./check-info.ts";
import { EXPORT_MAGIC, type ExportedFile, readExportedFiles } from "./export-file.ts";
import { narLength, narString } from "./nar-tokens.ts";
import type { NarSink } from "./nar-parser.ts";
import type { PathInfo } from "./path-info.ts";
import type { Awaitable, StoreQueries, StoreReader, StoreWriter } from "./store.ts";
import type { StorePath } from "./store-path.ts";
import type { WireReader } from "./wire/index.ts";

/** More bytes than any text of the stream has: paths, and the signatures of old versions. */
const LONGEST_TEXT = 64 * 1024;

/** What an export stream says of one object, besides its archive. */
export interface ExportedInfo {
  readonly path: StorePath;
  /** Sorted. */
  readonly references: readonly StorePath[];
  readonly deriver?: StorePath | undefined;
}

/** The order in which objects are exported: references before referrers, edges to objects outside the set left out. */
export function exportOrder(paths: Iterable<StorePath>, referencesOf: ReferencesOf): StorePath[] {
  const wanted = new Set(paths);
  return closureOf(wanted, (path) => referencesOf(path).filter((reference) => wanted.has(reference)));
}

/**
 * Some objects of a store as one stream, as `nix-store --export` writes it: archives first, then what is said of them;
 * signatures and content addresses are not part of it.
 *
 * @throws {CodedError} `store.not-valid`; `store.nar-mismatch` when an archive is not what the store says it is: the stream
 *   then breaks off before the object is complete.
 */
export async function* exportPaths(
  store: StoreQueries & StoreReader,
  paths: Iterable<StorePath>,
): AsyncGenerator<Uint8Array> {
  const infos = new Map<StorePath, PathInfo>();
  for (const path of paths) {
    const info = await store.queryPathInfo(path);
    if (info === undefined) throw notValid(path);
    infos.set(path, info);
  }
  for (const path of exportOrder(infos.keys(), (each) => infos.get(each)?.references ?? [])) {
    yield* exportObject(infos.get(path) as PathInfo, store.readNar(path));
  }
  yield narLength(0);
}

async function* exportObject(info: PathInfo, nar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield narLength(1);
  const hasher = makeHasher("sha256");
  let narSize = 0;
  for await (const piece of nar) {
    hasher.update(piece);
    narSize += piece.length;
    yield piece;
  }
  checkNar(info, { narHash: hasher.digest(), narSize });
  yield narLength(EXPORT_MAGIC);
  yield narString(info.path);
  yield narLength(info.references.length);
  for (const reference of sortedText(info.references)) yield narString(reference);
  yield narString(info.deriver ?? "");
  yield narLength(0);
}

/** What {@link readExport} finds: pieces of an archive, then the object they belong to; or whole objects of one file. */
export type ExportEvent =
  | { readonly kind: "nar"; readonly bytes: Uint8Array }
  | { readonly kind: "files"; readonly files: readonly ExportedFile[] }
  | { readonly kind: "object"; readonly info: ExportedInfo; readonly narHash: Hash; readonly narSize: number };

/** Takes an archive while it is read. */
export interface ExportSink extends NarSink {
  /** Something to wait for before it is told more. */
  busy(): Promise<void> | undefined;
}

/**
 * Read an export stream up to its end; what follows it is left alone.
 *
 * @param begin Called when an archive begins. What it gives is told what the archive holds, and there are no events for its pieces.
 *   Only with it are there events for whole files, whose contents hold until the next event is asked for.
 * @throws {CodedError} `export.malformed`; `nar.malformed`; `store-path.*` for paths that are none of the store.
 */
export async function* readExport(reader: WireReader, begin?: () => ExportSink): AsyncGenerator<ExportEvent> {
  try {
    yield* readObjects(reader, begin);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    if (error.code === "wire.ended") throw malformed("it ends before its last object is complete", error);
    if (error.code === "wire.malformed") throw malformed(error.message.slice(error.message.indexOf(": ") + 2), error);
    throw error;
  }
}

async function* readObjects(reader: WireReader, begin: (() => ExportSink) | undefined): AsyncGenerator<ExportEvent> {
  for (;;) {
    if (begin !== undefined) {
      const { files, usedBytes } = readExportedFiles(reader.there, reader.storeDirectory);
      reader.skip(usedBytes);
      if (files.length > 0) yield { kind: "files", files };
    }
    const marker = await reader.number();
    if (marker === 0) return;
    if (marker !== 1) throw malformed(`found ${marker}, expected 1 before an object or 0 at the end`);
    const hasher = makeHasher("sha256");
    let narSize = 0;
    const count = (bytes: Uint8Array): void => {
      hasher.update(bytes);
      narSize += bytes.length;
    };
    if (begin === undefined) {
      for await (const bytes of reader.nar()) {
        count(bytes);
        yield { kind: "nar", bytes };
      }
    } else {
      const sink = begin();
      await reader.narInto(sink, (bytes) => {
        count(bytes);
        return sink.busy();
      });
    }
    // What one object says is one message: its texts share a limit, the stream as a whole has none.
    await reader.begin();
    const magic = await reader.number();
    if (magic !== EXPORT_MAGIC) throw malformed(`found ${magic} after an archive, expected ${EXPORT_MAGIC}`);
    const path = await reader.path();
    const references = sortedText(await reader.paths()) as StorePath[];
    const deriver = await reader.optionalPath();
    // A signature in a form that nobody reads any more.
    if ((await reader.number(1)) === 1) await reader.bytes(LONGEST_TEXT);
    const info = { path, references, ...(deriver === undefined ? {} : { deriver }) };
    yield { kind: "object", info, narHash: hasher.digest(), narSize };
  }
}

/** Holds an archive until it is known whose it is. */
export interface NarSpool {
  write(bytes: Uint8Array): Awaitable<void>;
  /** What was written, once; the spool is then empty and may be used for the next archive. */
  take(): AsyncIterable<Uint8Array>;
}

/** A spool in memory, for streams whose archives are known to be small. */
export function makeMemorySpool(): NarSpool {
  let pieces: Uint8Array[] = [];
  return {
    write: (bytes) => void pieces.push(bytes),
    async *take() {
      const taken = pieces;
      pieces = [];
      yield* taken;
    },
  };
}

/**
 * Take the objects of an export stream into a store, one after the other: what came before a fault stays valid.
 *
 * Hash and size are taken from the archive. Objects that are valid already are passed over.
 *
 * @returns The paths of the stream in its order, the ones passed over included.
 * @throws {CodedError} those of {@link readExport} and of `importNar`.
 */
export async function importPaths(
  store: StoreQueries & StoreWriter,
  reader: WireReader,
  spool: NarSpool,
): Promise<StorePath[]> {
  const paths: StorePath[] = [];
  for await (const event of readExport(reader)) {
    if (event.kind === "files") throw new Error("there are files only with a sink");
    if (event.kind === "nar") {
      await spool.write(event.bytes);
      continue;
    }
    const { info, narHash, narSize } = event;
    const nar = spool.take();
    if (!(await store.isValid(info.path))) await store.importNar({ ...info, narHash, narSize, signatures: [] }, nar);
    else for await (const _ of nar);
    paths.push(info.path);
  }
  return paths;
}

function malformed(found: string, cause?: unknown): CodedError {
  return new CodedError("export.malformed", `Cannot read the export stream: ${found}`, { cause });
}
