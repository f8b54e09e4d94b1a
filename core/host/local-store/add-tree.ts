import { lstatSync, renameSync } from "node:fs";
import { CodedError, type HashAlgorithm, makeHasher, sortedText } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import {
  checkName,
  type ContentAddress,
  formatContentAddress,
  gitHasher,
  makeContentAddressedPath,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import { copyTreeCanonical, removeTree } from "../files/index.ts";
import type { HeldLocks } from "./path-locks.ts";

export interface AddTreeOptions {
  readonly name: string;
  /** The tree or file on the host. */
  readonly from: string;
  /** Default recursive. Flat and text take a single file and forget whether it is executable; git takes no such file alone. */
  readonly method?: ContentAddress["method"];
  /** Default sha256, and nothing else for texts; sha1 is git's other one. */
  readonly algorithm?: HashAlgorithm;
  /** What it refers to, valid objects; texts and trees hashed with sha256 only. Default none. */
  readonly references?: readonly StorePath[];
  /** Which entries count; trees only. Default all. */
  readonly filter?: TreeFilter | undefined;
  /** The path it must have, when known beforehand: spares reading a tree that is valid already. */
  readonly expected?: StorePath | undefined;
}

/** What adding needs of the store. */
export interface AddTreeContext {
  /** Where an object of this store lies, or will. */
  placeOf(path: StorePath): string;
  isValid(path: StorePath): boolean;
  addTempRoot(path: StorePath): void;
  addTempRoots(paths: Iterable<StorePath>): void;
  /** A place on the host beside the objects, where nothing is and which no collection takes. */
  temporaryPlace(): string;
  /** Lock a place on the host that is about to be written. */
  lock(real: string): Promise<HeldLocks>;
  /** Register; gives the locks back when it has. */
  makeValid(info: PathInfo, locks: HeldLocks): Promise<void>;
}

/**
 * Copy a tree into the store, unless it is valid there already.
 *
 * It is read once: its path follows from what was copied, and is known when the copy is complete.
 *
 * @throws {CodedError} `store-path.name`, `source.missing`, `store.source-changed` (it is not what `expected` says),
 *   `store.not-a-file` (flat or text, but no regular file), `content-address.references`, `content-address.algorithm`,
 *   `content-address.git-root`, `store.reference-not-valid`,
 *   `files.unsupported-type`, `files.changed`
 */
export async function addTree(store: AddTreeContext, options: AddTreeOptions): Promise<StorePath> {
  const { name, from, method, expected } = options;
  checkName(name);
  if (expected !== undefined) {
    store.addTempRoot(expected);
    if (store.isValid(expected)) return expected;
  }
  if (method === "flat" || method === "text") checkRegular(from, method);
  store.addTempRoots(options.references ?? []);
  const temporary = store.temporaryPlace();
  try {
    const info = await copyTo(temporary, options);
    if (expected !== undefined) checkUnchanged(from, expected, info.path);
    store.addTempRoot(info.path);
    if (!store.isValid(info.path)) await place(store, temporary, info);
    return info.path;
  } finally {
    removeTree(temporary);
  }
}

async function copyTo(
  place: string,
  { name, from, method = "recursive", algorithm = "sha256", filter, references = [] }: AddTreeOptions,
): Promise<PathInfo> {
  const isPlain = method === "recursive" && algorithm === "sha256";
  const other = isPlain ? undefined : method === "git" ? gitHasher(algorithm) : makeHasher(algorithm);
  const others = other === undefined ? [] : [other];
  const isTree = method === "recursive" || method === "git";
  const { narHash, narSize } = await copyTreeCanonical(
    from,
    place,
    isTree ? { filter, narHashers: others } : { executables: false, contentHashers: others },
  );
  const address = { method, hash: other?.digest() ?? narHash };
  const sorted = sortedText(new Set<string>(references)) as StorePath[];
  return {
    path: makeContentAddressedPath(name, address, { references: sorted }),
    narHash,
    narSize,
    references: sorted,
    signatures: [],
    ca: formatContentAddress(address),
  };
}

async function place(store: AddTreeContext, temporary: string, info: PathInfo): Promise<void> {
  const real = store.placeOf(info.path);
  const locks = await store.lock(real);
  if (store.isValid(info.path)) return locks.release();
  try {
    removeTree(real);
    renameSync(temporary, real);
    await store.makeValid(info, locks);
  } catch (error) {
    if (!store.isValid(info.path)) removeTree(real);
    locks.release();
    throw error;
  }
}

function checkUnchanged(from: string, expected: StorePath, found: StorePath): void {
  if (expected === found) return;
  throw new CodedError(
    "store.source-changed",
    `Cannot add "${from}" to the store: found "${found}", expected "${expected}"`,
    {
      hint: "The files changed meanwhile; run the command again.",
    },
  );
}

export function checkRegular(from: string, method: "flat" | "text"): void {
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new CodedError("source.missing", `Cannot read "${from}": there is no such file or directory`, {
      hint: "Check the path, which counts from the folder of the command.",
    });
  if (!stat.isFile())
    throw new CodedError("store.not-a-file", `Cannot add "${from}" as a ${method} object: expected a regular file`);
}
