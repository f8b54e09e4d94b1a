import { concatBytes, hashBytes, sortedText, utf8 } from "../base/index.ts";
import { checkNar, checkRegistrable, notValid } from "./check-info.ts";
import { closureOf } from "./closure.ts";
import { formatContentAddress } from "./content-address.ts";
import { ContentCheck } from "./content-check.ts";
import { makeTextPath } from "./make-path.ts";
import { dumpFileNar, parseNar } from "./nar-tree.ts";
import type { PathInfo } from "./path-info.ts";
import type { Store } from "./store.ts";
import { STORE_DIRECTORY, type StorePath, storePathDigest } from "./store-path.ts";

/** A store in memory: for tests, and for planning what a store would hold. */
export class MemoryStore implements Store {
  readonly storeDirectory: string = STORE_DIRECTORY;
  readonly #objects = new Map<StorePath, { readonly info: PathInfo; readonly nar: Uint8Array }>();

  isValid(path: StorePath): boolean {
    return this.#objects.has(path);
  }

  queryPathInfo(path: StorePath): PathInfo | undefined {
    return this.#objects.get(path)?.info;
  }

  queryByDigest(digest: string): StorePath | undefined {
    return [...this.#objects.keys()].find((path) => storePathDigest(path) === digest);
  }

  queryReferrers(path: StorePath): StorePath[] {
    const referrers = [...this.#objects.values()].filter(({ info }) => info.references.includes(path));
    return sortedText(referrers.map(({ info }) => info.path)) as StorePath[];
  }

  closure(paths: Iterable<StorePath>): StorePath[] {
    return closureOf(paths, (path) => this.#get(path).info.references);
  }

  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    yield this.#get(path).nar.slice();
  }

  addText(name: string, contents: string, references: readonly StorePath[]): StorePath {
    const path = makeTextPath(name, contents, references);
    const nar = dumpFileNar(utf8(contents));
    const ca = formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) });
    this.#register(
      {
        path,
        narHash: hashBytes("sha256", nar),
        narSize: nar.length,
        references: sortedText(new Set(references)) as StorePath[],
        signatures: [],
        ca,
      },
      nar,
    );
    return path;
  }

  async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    const check = new ContentCheck(info);
    const pieces: Uint8Array[] = [];
    for await (const piece of check.watch(nar)) pieces.push(piece);
    const bytes = concatBytes(pieces);
    parseNar(bytes);
    const narHash = hashBytes("sha256", bytes);
    checkNar(info, { narHash, narSize: bytes.length });
    check.finish(narHash);
    this.#register(info, bytes);
  }

  #get(path: StorePath): { readonly info: PathInfo; readonly nar: Uint8Array } {
    const object = this.#objects.get(path);
    if (object === undefined) throw notValid(path);
    return object;
  }

  #register(info: PathInfo, nar: Uint8Array): void {
    if (this.#objects.has(info.path)) return;
    checkRegistrable(info, (path) => this.#objects.has(path));
    this.#objects.set(info.path, { info, nar });
  }
}
