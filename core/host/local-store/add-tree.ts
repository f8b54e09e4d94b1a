import { lstatSync, readFileSync } from "node:fs";
import { CodedError, type Hash, type HashAlgorithm, hashBytes } from "../../base/index.ts";
import type { TreeFilter } from "../../derivation/index.ts";
import {
  checkName,
  type FileIngestionMethod,
  formatContentAddress,
  makeFixedPath,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import { copyTreeCanonical, hashTree, removeTree } from "../files/index.ts";
import { writeFileObject } from "./object-writer.ts";
import { type HeldLocks, lockRealPaths } from "./path-locks.ts";

export interface AddTreeOptions {
  readonly name: string;
  /** The tree or file on the host. */
  readonly from: string;
  /** Default recursive. Flat takes a single file and forgets whether it is executable. */
  readonly method?: FileIngestionMethod;
  /** Default sha256. */
  readonly algorithm?: HashAlgorithm;
  /** Which entries count; recursive only. Default all. */
  readonly filter?: TreeFilter | undefined;
  /** The path it must have, when known beforehand: spares reading a tree that is valid already. */
  readonly expected?: StorePath | undefined;
}

/** What adding needs of the store. */
export interface AddTreeContext {
  realPath(path: StorePath): string;
  isValid(path: StorePath): boolean;
  addTempRoot(path: StorePath): void;
  /** Register; gives the locks back when it has. */
  makeValid(info: PathInfo, locks: HeldLocks): void;
}

/**
 * Copy a tree into the store, unless it is valid there already.
 *
 * @throws {CodedError} `store-path.name`, `source.missing`, `store.source-changed` (it is not what `expected` says, or changed
 *   while we read it), `store.not-a-file` (flat, but no regular file), `files.unsupported-type`
 */
export async function addTree(store: AddTreeContext, options: AddTreeOptions): Promise<StorePath> {
  const { name, from, method = "recursive", filter, expected } = options;
  checkName(name);
  const path = expected ?? (await addressOf(options, from)).path;
  store.addTempRoot(path);
  if (store.isValid(path)) return path;
  const real = store.realPath(path);
  const locks = (await lockRealPaths([real])) as HeldLocks;
  try {
    if (store.isValid(path)) {
      locks.release();
      return path;
    }
    removeTree(real);
    const info =
      method === "flat" ? await addFlat(options, path, real) : await addRecursive(options, path, real, filter);
    store.makeValid(info, locks);
    return path;
  } catch (error) {
    removeTree(real);
    locks.release();
    throw error;
  }
}

async function addRecursive(
  { name, from, algorithm = "sha256" }: AddTreeOptions,
  path: StorePath,
  real: string,
  filter: TreeFilter | undefined,
): Promise<PathInfo> {
  const { narHash, narSize } = await copyTreeCanonical(from, real, { filter });
  const hash = algorithm === "sha256" ? narHash : (await hashTree(real, { algorithm })).narHash;
  checkUnchanged(from, path, makeFixedPath({ name, method: "recursive", hash }));
  return {
    path,
    narHash,
    narSize,
    references: [],
    signatures: [],
    ca: formatContentAddress({ method: "recursive", hash }),
  };
}

async function addFlat(options: AddTreeOptions, path: StorePath, real: string): Promise<PathInfo> {
  const contents = readRegular(options.from);
  const hash = hashBytes(options.algorithm ?? "sha256", contents);
  checkUnchanged(options.from, path, makeFixedPath({ name: options.name, method: "flat", hash }));
  return writeFileObject(real, contents, { path, references: [], ca: formatContentAddress({ method: "flat", hash }) });
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

/** Hash and path of what is to be added. */
async function addressOf(
  { name, method = "recursive", algorithm = "sha256", filter }: AddTreeOptions,
  from: string,
): Promise<{ path: StorePath; hash: Hash }> {
  const hash =
    method === "flat" ? hashBytes(algorithm, readRegular(from)) : (await hashTree(from, { filter, algorithm })).narHash;
  return { path: makeFixedPath({ name, method, hash }), hash };
}

function readRegular(from: string): Uint8Array {
  const stat = lstatSync(from, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new CodedError("source.missing", `Cannot read "${from}": there is no such file or directory`);
  if (!stat.isFile())
    throw new CodedError("store.not-a-file", `Cannot add "${from}" as a flat object: expected a regular file`);
  return readFileSync(from);
}
