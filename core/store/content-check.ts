import { CodedError, equalHashes, formatHash, type Hash, type HashAlgorithm, makeHasher } from "../base/index.ts";
import { type ContentAddress, parseContentAddress } from "./content-address.ts";
import { SelfHasher } from "./digest-rewriter.ts";
import { GitHasher, isGitAlgorithm } from "./git-hasher.ts";
import { NarParser, type NarSink } from "./nar-parser.ts";
import type { PathInfo } from "./path-info.ts";
import { storePathDigest } from "./store-path.ts";

/**
 * Compares an archive on its way into a store with the content address its object claims. The address decides the path, and
 * a path that follows from its content needs no signature: so the content must be looked at. Objects without one pass.
 */
export class ContentCheck {
  readonly #info: PathInfo;
  readonly #address: ContentAddress | undefined;
  readonly #hasher: ContentHasher | undefined;

  /** @throws {CodedError} `content-address.malformed` */
  constructor(info: PathInfo) {
    this.#info = info;
    this.#address = info.ca === undefined ? undefined : parseContentAddress(info.ca);
    this.#hasher = this.#address === undefined ? undefined : hasherFor(info, this.#address);
  }

  /** The archive, unchanged. */
  async *watch(nar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    if (this.#hasher === undefined) return yield* nar;
    for await (const piece of nar) {
      this.#hasher.update(piece);
      yield piece;
    }
  }

  /**
   * Ask once, when the whole archive has passed and was found well-formed.
   *
   * @param narHash Of the archive, sha256.
   * @throws {CodedError} `store.content-address-mismatch`
   */
  finish(narHash: Hash): void {
    if (this.#address === undefined) return;
    const found = this.#hasher === undefined ? narHash : this.#hasher.digest();
    if (found !== undefined && equalHashes(found, this.#address.hash)) return;
    throw new CodedError(
      "store.content-address-mismatch",
      `Cannot import "${this.#info.path}": found ${found === undefined ? "something else than such an object" : `contents with the hash ${formatHash(found, "sri")}`}, expected "${this.#info.ca}"`,
    );
  }
}

interface ContentHasher {
  update(piece: Uint8Array): void;
  /** `undefined` when the archive does not hold what is to be hashed. */
  digest(): Hash | undefined;
}

/** `undefined` where the hash of the archive is the one that counts. */
function hasherFor(info: PathInfo, { method, hash: { algorithm } }: ContentAddress): ContentHasher | undefined {
  if (method === "git") {
    if (!isGitAlgorithm(algorithm)) return { update() {}, digest: () => undefined };
    const hasher = new GitHasher(algorithm);
    return { update: (piece) => hasher.update(piece), digest: () => hasher.find() };
  }
  if (method !== "recursive") return new FileHasher(algorithm);
  if (info.references.includes(info.path)) {
    const hasher = new SelfHasher(algorithm, storePathDigest(info.path));
    return { update: (piece) => hasher.update(piece), digest: () => hasher.digest().hash };
  }
  return algorithm === "sha256" ? undefined : makeHasher(algorithm);
}

/** Hashes the contents of an archive that holds one file which is not executable. */
class FileHasher implements ContentHasher, NarSink {
  readonly #hasher;
  readonly #parser = new NarParser(this);
  #isFile = false;

  constructor(algorithm: HashAlgorithm) {
    this.#hasher = makeHasher(algorithm);
  }

  update(piece: Uint8Array): void {
    if (!this.#parser.done) this.#parser.push(piece);
  }

  digest(): Hash | undefined {
    return this.#isFile && this.#parser.done ? this.#hasher.digest() : undefined;
  }

  file(path: string, { executable }: { readonly executable: boolean }): void {
    this.#isFile = path === "" && !executable;
  }

  data(chunk: Uint8Array): void {
    if (this.#isFile) this.#hasher.update(chunk);
  }

  directory(): void {}
  endDirectory(): void {}
  endFile(): void {}
  symlink(): void {}
}
