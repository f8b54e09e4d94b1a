import type { Awaitable, PathInfo, Realisation, StorePath, StoreQueries, StoreReader } from "../../store/index.ts";

/** Another store that objects may be taken from. */
export interface Substituter {
  /** Address for people and for the memory of lookups. */
  readonly url: string;
  /** Those with a lower number are asked first. */
  readonly priority: number;
  /** Whether its objects need no signature. Default false. */
  readonly trusted?: boolean | undefined;
  readonly store: StoreQueries & StoreReader;
  /**
   * The archive of an object by its description, when the store need not be asked for that again. A piece holds until the next one
   * is asked for.
   */
  readArchive?(info: PathInfo): AsyncIterable<Uint8Array>;
  /** What an output became that is addressed by its content. */
  queryRealisation?(id: string): Awaitable<Realisation | undefined>;
  /** What the builder of a derivation said, if the store has kept it. */
  readLog?(drvPath: StorePath): Promise<Uint8Array | undefined>;
  /** Told when an object was not as it was described. */
  disappointed?(path: StorePath): void;
  close?(): void;
}

/** How to open one; done when the first question comes. */
export interface SubstituterSource {
  readonly url: string;
  open(): Promise<Substituter>;
}
