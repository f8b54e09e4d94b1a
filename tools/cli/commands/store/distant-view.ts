import { join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { Derivation } from "../../../../core/derivation/index.ts";
import { showUrl } from "../../../../core/fetch/index.ts";
import { makeScratch, removeTree, restoreNar } from "../../../../core/host/files/index.ts";
import { type AnyStore, openStoreUrl } from "../../../../core/host/stores/index.ts";
import {
  checkNar,
  closureOf,
  notValid,
  type PathInfo,
  type StoreGraph,
  type StorePath,
  storePathBaseName,
} from "../../../../core/store/index.ts";
import type { AskedStore, OpenAskedStoreOptions, Reach } from "./asked-store.ts";
import { readPathText } from "./valid-path.ts";

export interface OpenDistantViewOptions extends OpenAskedStoreOptions {
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Fetch what a question needs from a store behind an address. Errors as `openAskedStore`. */
export async function openDistantView(
  url: string,
  { texts, reach, cwd, signal }: OpenDistantViewOptions,
): Promise<AskedStore> {
  const store = await openStoreUrl(url, { cwd, signal });
  try {
    const view = new DistantView(store, showUrl(url));
    await view.load(texts, reach);
    return view;
  } catch (error) {
    store.close();
    throw error;
  }
}

/** What was fetched of a distant store; it answers at once, and about nothing else. */
class DistantView implements AskedStore {
  readonly storeDirectory: string;
  readonly #store: AnyStore;
  readonly #where: string;
  readonly #infos = new Map<StorePath, PathInfo>();
  readonly #referrers = new Map<StorePath, StorePath[]>();
  readonly #digests = new Map<string, StorePath>();
  #fetched: string | undefined;

  constructor(store: AnyStore, where: string) {
    this.storeDirectory = store.storeDirectory;
    this.#store = store;
    this.#where = where;
  }

  async load(texts: readonly string[], reach: Reach): Promise<void> {
    if (reach === "digests") return this.#loadDigests(texts);
    const named = texts.map((text) => readPathText(this.storeDirectory, text));
    if (reach === "closure") return this.#follow(named, (path) => this.#infos.get(path)?.references ?? []);
    await this.#loadInfos(named);
    if (reach === "objects") return;
    await this.#loadReferrers(named, reach === "referrers-closure");
  }

  isValid(path: StorePath): boolean {
    return this.#infos.has(path);
  }

  queryPathInfo(path: StorePath): PathInfo | undefined {
    return this.#infos.get(path);
  }

  queryByDigest(digest: string): StorePath | undefined {
    return this.#digests.get(digest);
  }

  queryReferrers(path: StorePath): StorePath[] {
    return this.#referrers.get(path) ?? [];
  }

  closure(paths: Iterable<StorePath>): StorePath[] {
    return closureOf(paths, (path) => {
      const info = this.#infos.get(path);
      if (info === undefined) throw notValid(path);
      return info.references;
    });
  }

  queryValidDerivers(path: StorePath): StorePath[] {
    throw this.#cannotAnswer(`which derivations make "${path}"`);
  }

  readDerivation(path: string): Derivation {
    throw this.#cannotAnswer(`what "${path}" makes`);
  }

  async fetchTree(path: StorePath): Promise<string> {
    this.#fetched ??= makeScratch("fetched");
    const place = join(this.#fetched, storePathBaseName(path));
    const info = this.#infos.get(path);
    if (info === undefined) throw notValid(path);
    checkNar(info, await restoreNar(this.#store.readNar(path), place));
    return place;
  }

  [Symbol.dispose](): void {
    if (this.#fetched !== undefined) removeTree(this.#fetched);
    this.#store.close();
  }

  async #loadInfos(paths: readonly StorePath[]): Promise<void> {
    for (const info of await Promise.all(paths.map((path) => this.#store.queryPathInfo(path))))
      if (info !== undefined) this.#infos.set(info.path, info);
  }

  async #loadDigests(digests: readonly string[]): Promise<void> {
    for (const digest of digests) {
      const path = /^[0-9a-z]{32}$/.test(digest) ? await this.#store.queryByDigest(digest) : undefined;
      if (path !== undefined) this.#digests.set(digest, path);
    }
  }

  /** Ask about objects, and about those they lead to, all that are known at once. */
  async #follow(starts: readonly StorePath[], next: (path: StorePath) => readonly StorePath[]): Promise<void> {
    const asked = new Set<StorePath>();
    for (let open = [...new Set(starts)]; open.length > 0; ) {
      for (const path of open) asked.add(path);
      await this.#loadInfos(open);
      open = [...new Set(open.flatMap(next))].filter((path) => !asked.has(path));
    }
  }

  async #loadReferrers(named: readonly StorePath[], recursive: boolean): Promise<void> {
    const store: AnyStore & Partial<Pick<StoreGraph, "queryReferrers">> = this.#store;
    if (store.queryReferrers === undefined) throw this.#cannotAnswer("what refers to its objects");
    for (let open = named.filter((path) => this.#infos.has(path)); open.length > 0; ) {
      const found = await Promise.all(open.map((path) => store.queryReferrers?.(path) ?? []));
      for (const [index, path] of open.entries()) this.#referrers.set(path, found[index] ?? []);
      open = recursive ? [...new Set(found.flat())].filter((path) => !this.#referrers.has(path)) : [];
    }
  }

  #cannotAnswer(question: string): CodedError {
    return cannotAnswer(this.#where, question);
  }
}

/** A question that a store behind an address has no answer to. */
export function cannotAnswer(where: string, question: string): CodedError {
  return new CodedError("store.cannot-answer", `Cannot ask the store "${where}" ${question}: it does not tell`, {
    hint: "Ask on the machine that has it, or through its daemon (ssh-ng://HOST).",
  });
}
