import { CodedError, type Hash, type HashAlgorithm, type Hasher, makeHasher, sortedText } from "../../base/index.ts";
import {
  type ArrivingObject,
  type ContentAddress,
  formatContentAddress,
  gitHasher,
  isTrusted,
  makeContentAddressedPath,
  NAR_TOKENS,
  narLength,
  narPadding,
  NarParser,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import type { ServedStore, StoreServices } from "./served-store.ts";
import { Spool } from "./spool.ts";

export interface TakeInOptions {
  /** Whether a trusted key must have signed what is not content-addressed. */
  readonly checkSignatures: boolean;
}

/**
 * Take in objects whose facts are known, references first. Of those that are valid already the archives are passed over.
 *
 * @throws {CodedError} `signature.untrusted`, and those of `LocalStore.importInOrder`
 */
export async function takeIn(
  services: StoreServices,
  objects: AsyncIterable<ArrivingObject>,
  { checkSignatures }: TakeInOptions,
): Promise<void> {
  const { store } = services;
  async function* checked(): AsyncGenerator<ArrivingObject> {
    for await (const object of objects) {
      if (checkSignatures && !(await store.isValid(object.info.path))) checkMayEnter(services, object.info);
      yield object;
    }
  }
  await store.importInOrder(checked());
}

function checkMayEnter({ checkTrusted }: StoreServices, info: PathInfo): void {
  if (checkTrusted !== undefined) checkTrusted(info);
  else if (!isTrusted(info, [], NOBODY))
    throw new CodedError("signature.untrusted", `Cannot trust "${info.path}": no key is trusted here`);
}

/** One object alone. */
export async function* only(info: PathInfo, nar: AsyncIterable<Uint8Array>): AsyncGenerator<ArrivingObject> {
  yield { info, nar };
}

/** Without trusted keys only content counts. */
const NOBODY = { verify: () => false };

export interface Contents {
  readonly name: string;
  readonly method: ContentAddress["method"];
  readonly algorithm: HashAlgorithm;
  readonly references: readonly StorePath[];
}

/**
 * Add contents whose hash decides where they belong.
 *
 * @param pieces A NAR for trees, else the contents of one file. Read to its end.
 * @throws {CodedError} `store-path.name`, `content-address.references`, and those of `Store.importNar`
 */
export async function addContents(
  store: ServedStore,
  { name, method, algorithm, references }: Contents,
  pieces: AsyncIterable<Uint8Array>,
): Promise<PathInfo> {
  using spool = new Spool();
  const isTree = method === "recursive" || method === "git";
  const hash = await fill(spool, pieces, method === "git" ? gitHasher(algorithm) : makeHasher(algorithm));
  const address = { method, hash };
  const sorted = sortedText(new Set<string>(references)) as StorePath[];
  const path = makeContentAddressedPath(name, address, { references: sorted });
  store.addTempRoot(path);
  const known = await store.queryPathInfo(path);
  if (known !== undefined) return known;
  const nar = (): AsyncIterable<Uint8Array> => (isTree ? spool.read() : fileNar(spool));
  const narHash = method === "recursive" && algorithm === "sha256" ? hash : await hashOf(nar());
  const narSize = isTree ? spool.sizeBytes : fileNarSize(spool.sizeBytes);
  const ca = formatContentAddress(address);
  await store.importInOrder(only({ path, narHash, narSize, references: sorted, signatures: [], ca }, nar()));
  return (await store.queryPathInfo(path)) as PathInfo;
}

/** The contents of an archive of one file, in pieces. @throws {CodedError} `store.not-a-file` */
export async function* contentsOf(nar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  const other = (): void => {
    throw new CodedError("store.not-a-file", "Cannot add an archive as a flat object: expected one regular file in it");
  };
  const parser = new NarParser({
    directory: other,
    symlink: other,
    endDirectory() {},
    file() {},
    endFile() {},
    data: (chunk) => void pieces.push(new Uint8Array(chunk)),
  });
  for await (const piece of nar) {
    parser.push(piece);
    yield* pieces;
    pieces = [];
  }
  parser.finish();
}

async function fill(spool: Spool, pieces: AsyncIterable<Uint8Array>, hasher: Hasher): Promise<Hash> {
  for await (const piece of pieces) {
    hasher.update(piece);
    spool.write(piece);
  }
  return hasher.digest();
}

async function hashOf(pieces: AsyncIterable<Uint8Array>): Promise<Hash> {
  const hasher = makeHasher("sha256");
  for await (const piece of pieces) hasher.update(piece);
  return hasher.digest();
}

/** The archive of one file that is not executable. */
async function* fileNar(contents: Spool): AsyncGenerator<Uint8Array> {
  yield NAR_TOKENS.start;
  yield NAR_TOKENS.file;
  yield narLength(contents.sizeBytes);
  yield* contents.read();
  yield new Uint8Array(narPadding(contents.sizeBytes));
  yield NAR_TOKENS.close;
}

function fileNarSize(size: number): number {
  const around = NAR_TOKENS.start.length + NAR_TOKENS.file.length + NAR_TOKENS.close.length;
  return around + narLength(size).length + size + narPadding(size);
}
