import { DIGEST_LENGTH, tryParseStorePath, STORE_DIRECTORY } from "./store-path.ts";

/** What the name of an entry of the store directory says about it. */
export interface StoreEntry {
  /** The digest it belongs to: that of an object, of a lock beside one, of a build's directories. */
  readonly digest?: string;
  /** The process that made it, when it is something temporary. */
  readonly maker?: number;
  /** A lock file: it is in use for as long as somebody holds its lock. */
  readonly isLock: boolean;
}

/** Folder of links by content, to which equal files are joined. */
export const LINKS_NAME = ".links";

/** What a collection has taken out of the store but not deleted yet; what lies in it is nobody's. */
export const TRASH_NAME = ".gc-trash";

/** `….tmp-<pid>-<n>` of ours; `.tmp-link-<pid>-…`, `add-<pid>-<n>`, `nix-<pid>-<n>`, `tmp-<pid>-<n>` of Nix. */
const TEMPORARY = /(?:^\.tmp-link-|\.tmp-|^add-|^nix-|^tmp-)([0-9]+)-/;

/** Read the name of an entry of the store directory, which may be anything. */
export function readStoreEntry(name: string): StoreEntry {
  const isObject = tryParseStorePath(`${STORE_DIRECTORY}/${name}`) !== undefined;
  const maker = TEMPORARY.exec(name)?.[1];
  return {
    ...(isObject ? { digest: name.slice(0, DIGEST_LENGTH) } : {}),
    ...(maker === undefined ? {} : { maker: Number(maker) }),
    isLock: name.endsWith(".lock"),
  };
}
