import type { CodedError } from "../../base/index.ts";
import type { BuildEvent, BuildTarget } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { ArrivingObject, Awaitable, PathInfo, Store, StorePath } from "../../store/index.ts";
import type { WireReader } from "../../store/wire/index.ts";

/** A store that can be served: what both protocols ask of every store. `LocalStore` is one. */
export interface ServedStore extends Store {
  /** Nothing can be written, not even a root. Default false. */
  readonly readOnly?: boolean;
  /** All valid paths, sorted. */
  allPaths(): Awaitable<StorePath[]>;
  /** Valid `.drv` files that promise this output; sorted. */
  queryValidDerivers(output: StorePath): Awaitable<StorePath[]>;
  /** Error `store.not-valid`. */
  readDerivation(path: StorePath): Derivation;
  /** Where an output lies whose path the derivation does not state, when a build found out. */
  findOutput?(derivation: Derivation, output: string): StorePath | undefined;
  /** Keep a path from being collected as long as the connection lives. */
  addTempRoot(path: string): void;
  /** Take in objects that come one after the other; see `LocalStore.importInOrder`. */
  importInOrder(objects: AsyncIterable<ArrivingObject>): Promise<void>;
  /** Take in an export stream, if there is a better way than object by object. */
  importStream?(reader: WireReader): Promise<StorePath[]>;
}

/** How a client wants its builds. */
export interface ClientSettings {
  readonly keepFailed: boolean;
  readonly keepGoing: boolean;
  readonly maxJobs?: number | undefined;
  /** 0: all processors. */
  readonly cores?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly maxSilentSeconds?: number | undefined;
  readonly maxLogBytes?: number | undefined;
  /** Whether objects may come from other stores. */
  readonly substitute: boolean;
}

export interface BuildRequest {
  readonly targets: readonly BuildTarget[];
  /** Derivations that were sent along and need not be in the store. */
  readonly derivations?: ReadonlyMap<StorePath, Derivation> | undefined;
  readonly settings: ClientSettings;
  /** Build although the outputs are valid, and compare. */
  readonly rebuild: boolean;
  readonly events: (event: BuildEvent) => void;
  readonly signal?: AbortSignal | undefined;
}

/** How a build ended. */
export interface BuildAnswer {
  /** Derivations that were built, or fetched. */
  readonly built: readonly StorePath[];
  readonly failures: readonly { readonly drvPath: StorePath; readonly error: CodedError }[];
  readonly dependencyFailed: readonly StorePath[];
  /** Targets with `through`, and the derivations that these turned out to be. */
  readonly followed: ReadonlyMap<BuildTarget, BuildTarget>;
  readonly cancelled: boolean;
}

/** A link that keeps an object, and the object. */
export interface FoundRoot {
  readonly link: string;
  readonly path: StorePath;
}

export interface CollectRequest {
  readonly action: "live" | "dead" | "delete" | "delete-specific";
  /** For `delete-specific`. */
  readonly paths: readonly StorePath[];
  readonly maxFreedBytes: number;
}

/** An object that another store could give. */
export interface Substitute {
  readonly info: PathInfo;
  /** Bytes to be transferred; 0 when unknown. */
  readonly downloadBytes: number;
}

/**
 * What a server does for its clients besides the store itself. Each part may be missing; then the operations that need it
 * fail with words, and what has a sensible empty answer gives it.
 */
export interface StoreServices {
  readonly store: ServedStore;
  /**
   * What a client says of other stores and of keys, by the names of `nix.conf`; other names are left to others.
   *
   * @returns Words about what it does not get.
   */
  readonly configure?: (named: Readonly<Record<string, string>>, trusted: boolean) => Awaitable<readonly string[]>;
  readonly build?: (request: BuildRequest) => Promise<BuildAnswer>;
  /** Which of the paths other stores could give. */
  readonly findSubstitutes?: (paths: readonly StorePath[]) => Promise<ReadonlyMap<StorePath, Substitute>>;
  /** Make the objects valid that other stores have, with what they refer to. What cannot be had stays as it is. */
  readonly substitute?: (
    paths: readonly StorePath[],
    run: { readonly events?: ((event: BuildEvent) => void) | undefined; readonly signal?: AbortSignal | undefined },
  ) => Promise<void>;
  /** @throws {CodedError} `signature.untrusted` for an object that nobody who is trusted vouches for. */
  readonly checkTrusted?: (info: PathInfo) => void;
  readonly addSignatures?: (path: StorePath, signatures: readonly string[]) => Awaitable<void>;
  readonly findRoots?: () => Awaitable<FoundRoot[]>;
  /** Let the link keep its target. */
  readonly registerRoot?: (link: string) => void;
  /** Make the link, and let it keep its target. */
  readonly addPermanentRoot?: (link: string, path: StorePath) => void;
  readonly collect?: (request: CollectRequest) => Promise<{ paths: readonly string[]; freedBytes: number }>;
  readonly optimise?: () => Promise<void>;
  /** @returns Whether faults are left. */
  readonly verify?: (
    options: { readonly contents: boolean; readonly repair: boolean },
    say: (line: string) => void,
  ) => Promise<boolean>;
  readonly addBuildLog?: (drvPath: StorePath, log: AsyncIterable<Uint8Array>) => Promise<void>;
  /** The path an output of which only the id is known was realised as. */
  readonly queryRealisation?: (id: string) => Awaitable<string | undefined>;
  /** @param realisation JSON text. */
  readonly registerRealisation?: (realisation: string) => Awaitable<void>;
}
