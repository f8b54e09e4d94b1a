import { CodedError, type Hash, type SourceLocation } from "../base/index.ts";
import { type StorePath, storePathDigest } from "../store/index.ts";
import type { Derivation } from "./derivation.ts";
import { type HashModulo, hashDerivationModulo, type InputHashes } from "./hash-modulo.ts";

/** Says which entries of a tree count. `relative` has no leading slash; a directory left out is not entered. */
export type TreeFilter = (relative: string, kind: "file" | "directory" | "symlink") => boolean;

/** A source the store must be given before the derivations of an evaluation. */
export type PlannedSource =
  | { readonly kind: "text"; readonly name: string; readonly contents: string; readonly references: string[] }
  | {
      readonly kind: "tree";
      readonly name: string;
      /** The tree or file on the host. */
      readonly from: string;
      /** Entries that count, relative to `from`, sorted; absent: all of them. */
      readonly files?: string[];
    };

/** Everything an evaluation made, in the order it was made: what a string refers to comes before it. */
export interface Evaluation {
  /** Text of each `.drv` file by its store path. */
  readonly derivations: Map<string, string>;
  readonly sources: Map<string, PlannedSource>;
  /** What has to be built before the evaluation can come to its end, by store path. */
  readonly needs: Map<string, NeededOutput>;
}

/** What the evaluation asks of its host. Synchronous, because strings are. */
export interface SourceHost {
  /**
   * sha256 and size of the NAR of what counts of a tree or file; `files` when that is not everything.
   *
   * @param from The file that asks, which a host may hold to its own source.
   * @throws {CodedError} `source.missing` when there is nothing at `hostPath`.
   */
  hashTree(
    hostPath: string,
    filter?: TreeFilter,
    from?: string,
  ): { readonly narHash: Hash; readonly narSize: number; readonly files?: readonly string[] };
  /**
   * The text of a file in an output that was built; `undefined` when the output is not there.
   *
   * @param object The store path of the output.
   * @throws {CodedError} `source.missing` and the like when the output has no such text.
   */
  readOutput?(path: string, object: StorePath): string | undefined;
  /**
   * A module of configuration with all that it imports.
   *
   * @param file As {@link SourceLocation} names it.
   * @throws {CodedError} `source.missing` when no such module was loaded.
   */
  hashModules?(file: string): ModuleTree;
}

/** A module with all files that it imports, and that these import. */
export interface ModuleTree {
  /** The folder that they all lie in. */
  readonly root: string;
  /** They, and the folders on the way to them, relative to `root` and sorted. */
  readonly files: readonly string[];
  /** sha256 of the NAR of `root` with these alone. */
  readonly narHash: Hash;
  /** What they import that is no file, or reached by a symbolic link: by its name, and where. */
  readonly others: readonly { readonly name: string; readonly at: SourceLocation }[];
}

/** An output that the evaluation wants to read and that is not there. */
export interface NeededOutput {
  readonly drvPath: StorePath;
  readonly output: string;
  /** Where it is read. */
  readonly at: SourceLocation | undefined;
}

/** What a digest in a string stands for. */
export type Origin =
  | { readonly kind: "output"; readonly drvPath: StorePath; readonly output: string }
  | {
      readonly kind: "nested";
      readonly drvPath: StorePath;
      /** As in `NestedInput`. */
      readonly through: readonly string[];
      readonly output: string;
    }
  | { readonly kind: "derivation"; readonly drvPath: StorePath }
  | { readonly kind: "source"; readonly path: StorePath };

/** The evaluation of this realm with the tables it needs. */
export interface EvaluationState extends Evaluation {
  readonly host: SourceHost;
  /** By digest of the store path. */
  readonly origins: Map<string, Origin>;
  readonly made: Map<StorePath, Derivation>;
  /** Unmasked hashes of the derivations made. */
  readonly inputs: InputHashes;
  /** Answers of the digest scan for long strings, which are used again and again. */
  readonly scans: Map<string, readonly Origin[]>;
}

let current: EvaluationState | undefined;

/** Start afresh: strings of an earlier evaluation of this realm are unknown from here on. */
export function beginEvaluation(host: SourceHost): Evaluation {
  const made = new Map<StorePath, Derivation>();
  const hashes = new Map<StorePath, HashModulo>();
  const inputs: InputHashes = (drvPath) => {
    let hash = hashes.get(drvPath);
    if (hash === undefined) {
      hash = hashDerivationModulo(made.get(drvPath) as Derivation, { masked: false, inputs });
      hashes.set(drvPath, hash);
    }
    return hash;
  };
  const tables = { derivations: new Map(), sources: new Map(), needs: new Map(), origins: new Map(), scans: new Map() };
  current = { host, ...tables, made, inputs };
  return toldOf(current);
}

/** Without the host, which would read for whoever has it what it reads for this folder alone. */
function toldOf({ derivations, sources, needs }: EvaluationState): Evaluation {
  return { derivations, sources, needs };
}

/** @throws {CodedError} `evaluation.not-begun` */
export function currentEvaluation(): Evaluation {
  return toldOf(currentState());
}

/** {@link currentEvaluation} with its tables, for this folder. */
export function currentState(): EvaluationState {
  if (current !== undefined) return current;
  throw new CodedError(
    "evaluation.not-begun",
    'Cannot make a derivation or source: no evaluation has begun, expected a call of "beginEvaluation" before',
    {
      hint: "Build through the floe command, or call beginEvaluation(makeSourceHost()) first, as tests do.",
    },
  );
}

/** Make a source known, so that strings with its path may be used: the trees of flake inputs, and what this folder makes. */
export function registerSource(path: StorePath, source: PlannedSource): void {
  const state = currentState();
  if (state.sources.has(path)) return;
  state.sources.set(path, source);
  const digest = storePathDigest(path);
  // A fixed output may have the path already; whichever was made first stands for it.
  if (!state.origins.has(digest)) state.origins.set(digest, { kind: "source", path });
}
