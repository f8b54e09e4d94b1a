import { formatSortedJson } from "../base/index.ts";
import type { InputDeclaration } from "./define-flake.ts";
import { formatReference } from "./reference.ts";

/** A commit of a repository, and the hash of its tree. */
export interface LockedGit {
  readonly type: "git";
  /** Address without `git+`. */
  readonly url: string;
  readonly rev: string;
  /** The branch or tag the revision was found at, as a full `refs/…` name. */
  readonly ref?: string;
  /** Its submodules are part of the tree. */
  readonly submodules?: true;
  /** Large files (Git LFS) stand in the tree with their contents. */
  readonly lfs?: true;
  readonly dir?: string;
  /** SRI sha256 of the NAR of the tree. */
  readonly narHash: string;
  /** Seconds since 1970 of the commit. */
  readonly lastModified: number;
}

/** What an archive unpacks to. */
export interface LockedTarball {
  readonly type: "tarball";
  /** Where it lies for good, when its server says so; else as declared, without `tarball+`. */
  readonly url: string;
  /** Commit that its server says it was made of. */
  readonly rev?: string;
  readonly dir?: string;
  readonly narHash: string;
  /** Seconds since 1970: what its server says, or else the newest file in it. */
  readonly lastModified: number;
}

/** A single file. */
export interface LockedFile {
  readonly type: "file";
  /** As declared, without `file+`. */
  readonly url: string;
  readonly narHash: string;
  /** Seconds since 1970 when the file was last changed, as its server says; 0 when it says nothing. */
  readonly lastModified: number;
  readonly rev?: never;
  readonly dir?: never;
}

/** The content of a folder. */
export interface LockedPath {
  readonly type: "path";
  /** As declared: absolute, or relative to the folder of the flake that declares the input. */
  readonly path: string;
  readonly dir?: string;
  readonly narHash: string;
  /** Seconds since 1970 of the newest file when the entry was made. */
  readonly lastModified: number;
}

export type LockedSource = LockedFile | LockedGit | LockedPath | LockedTarball;

/** Inputs of a node: the name of another node, or a path of input names that begins at the root (`follows`). */
export type LockInputs = Readonly<Record<string, string | readonly string[]>>;

/**
 * What takes the place of inputs further below, by their path from here (`c`, `c/d`): the name of a node, a path of input names that
 * begins at the root, or an empty one for an input that is left out.
 */
export type LockOverrides = Readonly<Record<string, string | readonly string[]>>;

/** One pinned input. */
export interface LockNode {
  /** Inputs that the input declares and does not pin itself; all others are in its own lock file. */
  readonly inputs?: LockInputs;
  /** What the flake above declared in place of the input's own inputs. */
  readonly overrides?: LockOverrides;
  /** `false` when the input was declared to have no outputs. */
  readonly flake?: false;
  /** The reference as declared. */
  readonly original: string;
  readonly locked: LockedSource;
}

/** The flake itself. */
export interface LockRoot {
  readonly inputs?: LockInputs;
}

/**
 * The contents of `lock.json`: a graph in which every input is pinned to its content.
 *
 * Entries of a dependency's own lock are not copied here: its tree is pinned, and so is the lock in it.
 */
export interface LockFile {
  readonly version: 1;
  /** Name of the node of the flake itself. */
  readonly root: string;
  readonly nodes: Readonly<Record<string, LockNode | LockRoot>>;
}

/** Name of the lock file beside `flake.config.ts`. */
export const LOCK_FILE_NAME = "lock.json";
export const ROOT_NODE = "root";
export const EMPTY_LOCK: LockFile = { version: 1, root: ROOT_NODE, nodes: { root: {} } };

/** The one text of a lock: keys in UTF-8 byte order, two spaces, a final newline. */
export function formatLock(lock: LockFile): string {
  return `${formatSortedJson(lock, 2)}\n`;
}

/** The reference that means just this content. */
export function formatLocked(locked: LockedSource): string {
  const { narHash, dir } = locked;
  const more = { narHash, ...(dir === undefined ? {} : { dir }) };
  switch (locked.type) {
    case "path":
      return formatReference({ kind: "path", path: locked.path, ...more });
    case "file":
      return formatReference({ kind: "file", url: locked.url, lastModified: locked.lastModified, narHash });
    case "tarball": {
      const { url, rev, lastModified } = locked;
      return formatReference({ kind: "tarball", url, lastModified, ...(rev === undefined ? {} : { rev }), ...more });
    }
    case "git": {
      const { url, rev, ref, submodules, lfs, lastModified } = locked;
      const named = ref === undefined ? { lastModified } : { ref, lastModified };
      return formatReference({
        kind: "git",
        url,
        rev,
        ...named,
        ...(submodules === true ? { submodules } : {}),
        ...(lfs === true ? { lfs } : {}),
        ...more,
      });
    }
  }
}

export function rootOf(lock: LockFile): LockRoot {
  return lock.nodes[lock.root] ?? {};
}

export function isLockNode(node: LockNode | LockRoot | undefined): node is LockNode {
  return node !== undefined && "locked" in node;
}

/** Inputs of a flake by name, each in its long form. */
export type DeclaredInputs = Readonly<Record<string, InputDeclaration>>;
