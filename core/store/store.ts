import type { PathInfo } from "./path-info.ts";
import type { StorePath } from "./store-path.ts";

/** A value now, or a promise of one: stores on this machine answer at once, distant ones later. */
export type Awaitable<T> = T | Promise<T>;

/** Asking what is valid. */
export interface StoreQueries {
  /** The directory store paths begin with, whatever the place on disk. */
  readonly storeDirectory: string;
  isValid(path: StorePath): Awaitable<boolean>;
  queryPathInfo(path: StorePath): Awaitable<PathInfo | undefined>;
  /** The path with this digest (32 characters). */
  queryByDigest(digest: string): Awaitable<StorePath | undefined>;
}

/** Asking who refers to whom; caches cannot answer the first. */
export interface StoreGraph {
  /** Valid objects that refer to this one, itself included when it does; sorted. */
  queryReferrers(path: StorePath): Awaitable<StorePath[]>;
  /** The objects and everything they refer to, references first. Error `store.not-valid`. */
  closure(paths: Iterable<StorePath>): Awaitable<StorePath[]>;
}

/** Giving out contents. */
export interface StoreReader {
  /** The NAR of a valid object, in pieces that may be kept. Error `store.not-valid`. */
  readNar(path: StorePath): AsyncIterable<Uint8Array>;
}

/** An object on its way into a store. */
export interface ArrivingObject {
  readonly info: PathInfo;
  readonly nar: AsyncIterable<Uint8Array>;
}

/** Taking objects in. Adding what is valid already changes nothing. */
export interface StoreWriter {
  /**
   * A text object; its references must be valid.
   *
   * @throws {CodedError} `store.reference-not-valid`, `store-path.name`
   */
  addText(name: string, contents: string, references: readonly StorePath[]): Awaitable<StorePath>;
  /**
   * An object from elsewhere. Nothing becomes valid unless the archive has the stated hash and size.
   *
   * @throws {CodedError} `store.nar-mismatch`, `store.reference-not-valid`, `store.content-address-mismatch`, `nar.malformed`
   */
  importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void>;
}

/** A store with all capabilities. */
export interface Store extends StoreQueries, StoreGraph, StoreReader, StoreWriter {}
