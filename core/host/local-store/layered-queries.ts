import { equalHashes } from "../../base/index.ts";
import type { PathInfo, Realisation, StorePath } from "../../store/index.ts";
import type { ObjectQueries, RecordedContents, StoreQueryTable } from "./queries.ts";
import type { RealisationQueries, RealisationTable } from "./realisations.ts";

/** What is asked of the store below; a `LocalStore` is one. */
export interface LowerStore {
  readonly root: string;
  isValid(path: string): boolean;
  queryPathInfo(path: StorePath): PathInfo | undefined;
  queryReferrers(path: StorePath): StorePath[];
  queryValidDerivers(output: StorePath): StorePath[];
  queryByDigest(digest: string): StorePath | undefined;
  queryRealisation(id: string): Realisation | undefined;
  queryRealisationsOf(path: StorePath): Realisation[];
  readonly hasRealisations: boolean;
  allPaths(): StorePath[];
  allContents(): RecordedContents[];
  validAmong(paths: readonly string[]): Set<string>;
  realPath(path: string): string;
}

/** Answers of two stores as of one: what both know the upper one tells. */
export class LayeredQueries implements ObjectQueries {
  readonly #upper: StoreQueryTable;
  readonly #lower: LowerStore;

  constructor(upper: StoreQueryTable, lower: LowerStore) {
    this.#upper = upper;
    this.#lower = lower;
  }

  has(path: string): boolean {
    return this.#upper.has(path) || this.#lower.isValid(path);
  }

  pathInfo(path: StorePath): PathInfo | undefined {
    return this.#upper.pathInfo(path) ?? this.#lower.queryPathInfo(path);
  }

  references(path: StorePath): readonly StorePath[] | undefined {
    return this.#upper.references(path) ?? this.#lower.queryPathInfo(path)?.references;
  }

  referrers(path: StorePath): StorePath[] {
    return union(this.#upper.referrers(path), this.#lower.queryReferrers(path));
  }

  validDerivers(output: StorePath): StorePath[] {
    return union(this.#upper.validDerivers(output), this.#lower.queryValidDerivers(output));
  }

  allPaths(): StorePath[] {
    return union(this.#upper.allPaths(), this.#lower.allPaths());
  }

  allPathsText(): string {
    return this.allPaths().join("\n");
  }

  allContents(): RecordedContents[] {
    const upper = this.#upper.allContents();
    const known = new Set(upper.map(({ path }) => path));
    return [...upper, ...this.#lower.allContents().filter(({ path }) => !known.has(path))];
  }

  validAmong(paths: readonly string[]): Set<string> {
    return new Set([...this.#upper.validAmong(paths), ...this.#lower.validAmong(paths)]);
  }

  byDigest(digest: string): StorePath | undefined {
    return this.#upper.byDigest(digest) ?? this.#lower.queryByDigest(digest);
  }
}

/** The same for what outputs became that are addressed by their content. */
export class LayeredRealisations implements RealisationQueries {
  readonly #upper: RealisationTable;
  readonly #lower: LowerStore;

  constructor(upper: RealisationTable, lower: LowerStore) {
    this.#upper = upper;
    this.#lower = lower;
  }

  get exists(): boolean {
    return this.#upper.exists || this.#lower.hasRealisations;
  }

  find(id: string): Realisation | undefined {
    return this.#upper.find(id) ?? this.#lower.queryRealisation(id);
  }

  of(path: StorePath): Realisation[] {
    const upper = this.#upper.of(path);
    const known = new Set(upper.map(({ id }) => id));
    return [...upper, ...this.#lower.queryRealisationsOf(path).filter(({ id }) => !known.has(id))];
  }
}

/**
 * Whether an object is the upper store's alone. What the lower one has as well, with the same contents, is the lower one's: a row
 * above only says that something there refers to it.
 */
export function isOwn(path: StorePath, upper: StoreQueryTable, lower: LowerStore): boolean {
  const above = upper.pathInfo(path);
  if (above === undefined) return false;
  const below = lower.queryPathInfo(path);
  return below === undefined || !equalHashes(above.narHash, below.narHash);
}

/** Both are sorted. */
function union(a: readonly StorePath[], b: readonly StorePath[]): StorePath[] {
  if (b.length === 0) return [...a];
  return [...new Set([...a, ...b])].sort();
}
