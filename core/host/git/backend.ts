/** What a repository offers. */
export interface RemoteRefs {
  /** The branch `HEAD` names, as a full `refs/heads/…` name. */
  readonly defaultBranch?: string;
  /** Commit of each full ref name; annotated tags are followed to their commit. */
  readonly refs: ReadonlyMap<string, string>;
}

/** A place in a tree where another repository belongs. */
export interface Gitlink {
  /** Relative to the top of the tree. */
  readonly path: string;
  /** Commit of the other repository. */
  readonly rev: string;
}

export interface FetchTreeOptions {
  /** Address without `git+`. */
  readonly url: string;
  /** Commit, 40 hexadecimal digits. */
  readonly rev: string;
  /** Ref the commit can be reached from, for servers that do not give out single commits. */
  readonly ref?: string | undefined;
  /** Folder to put the files into; must not exist. */
  readonly destination: string;
  readonly signal?: AbortSignal | undefined;
}

/** What repositories may send. */
export interface GitLimits {
  /** For a commit with its files. Default: the setting `maxDownload`. */
  readonly commitBytes?: number | undefined;
  /** For a list of refs. Default 256 MiB. */
  readonly refsBytes?: number | undefined;
  /** A server that is silent for so long is given up. Default {@link STALL_MS}. */
  readonly stallMs?: number | undefined;
}

export const STALL_MS = 60_000;

/** A repository with four million refs has a list of this size. */
export const LONGEST_REFS_BYTES = 256 * 1024 * 1024;

/**
 * A way to speak with git repositories.
 *
 * Both ways give the files of a commit exactly as stored: no line ending conversion, no export attributes; submodules are
 * empty folders.
 */
export interface GitBackend {
  /** @throws {CodedError} `git.unreachable`, `git.no-repository`, `git.too-large` */
  listRefs(url: string, signal?: AbortSignal): Promise<RemoteRefs>;
  /**
   * Get the files of one commit.
   *
   * @throws {CodedError} `git.unreachable`, `git.rev-missing`, `git.unsafe-tree`, `git.too-large`, `git.malformed-pack`
   */
  fetchTree(options: FetchTreeOptions): Promise<{
    /** Seconds since 1970 of the commit. */
    readonly lastModified: number;
    /** Places of submodules. */
    readonly gitlinks: readonly Gitlink[];
  }>;
}
