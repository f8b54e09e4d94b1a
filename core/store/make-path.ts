import { foldDigest, formatHash, type Hash, hashBytes, sortedText, toBase16, toBase32 } from "../base/index.ts";
import { checkName, STORE_DIRECTORY, type StorePath } from "./store-path.ts";

/**
 * How the hash of a content-addressed object is taken: of the bytes of one file, of the NAR of a tree, or as git names a tree or
 * file.
 */
export type FileIngestionMethod = "flat" | "recursive" | "git";

/** What stands before the algorithm where such a hash is told. */
export const INGESTION_PREFIX: Readonly<Record<FileIngestionMethod, string>> = {
  flat: "",
  recursive: "r:",
  git: "git:",
};

/**
 * Make a store path from its fingerprint `<type>:sha256:<base16 inner>:<store directory>:<name>`.
 *
 * @param inner A sha256, of what depends on the type.
 * @throws {CodedError} `store-path.name`
 *
 * Source: Nix manual, "Complete Store Path Calculation".
 */
export function makeStorePath(
  type: string,
  inner: Hash | Uint8Array,
  name: string,
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  checkName(name);
  const innerHex = toBase16(inner instanceof Uint8Array ? inner : inner.digest);
  const fingerprint = `${type}:sha256:${innerHex}:${storeDirectory}:${name}`;
  const digest = toBase32(foldDigest(hashBytes("sha256", fingerprint).digest, 20));
  return `${storeDirectory}/${digest}-${name}` as StorePath;
}

/** The type with the references that take part in the path; the object itself appears as `:self`. */
function typeWithReferences(type: string, references: readonly StorePath[], self: boolean): string {
  return [type, ...new Set(sortedText(references)), ...(self ? ["self"] : [])].join(":");
}

/** Place of a text object (`toFile`, `.drv` files): of its contents, not of their NAR, and of its references. */
export function makeTextPath(
  name: string,
  contents: string | Uint8Array,
  references: readonly StorePath[],
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  return makeStorePath(
    typeWithReferences("text", references, false),
    hashBytes("sha256", contents),
    name,
    storeDirectory,
  );
}

/**
 * Place of a tree that is addressed by the sha256 of its NAR: sources, recursive sha256 fixed outputs.
 *
 * @param references Without the object itself.
 * @param self Whether the object refers to itself; `narHash` is then the hash modulo self.
 */
export function makeSourcePath(
  name: string,
  narHash: Hash,
  references: readonly StorePath[] = [],
  self = false,
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  return makeStorePath(typeWithReferences("source", references, self), narHash, name, storeDirectory);
}

export interface MakeFixedPathOptions {
  readonly name: string;
  readonly method: FileIngestionMethod;
  readonly hash: Hash;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

/** Place of a fixed output. Recursive sha256 is a source; everything else hashes a description of the hash. */
export function makeFixedPath({
  name,
  method,
  hash,
  storeDirectory = STORE_DIRECTORY,
}: MakeFixedPathOptions): StorePath {
  if (method === "recursive" && hash.algorithm === "sha256")
    return makeSourcePath(name, hash, [], false, storeDirectory);
  const inner = `fixed:out:${INGESTION_PREFIX[method]}${formatHash(hash, "typed-base16")}:`;
  return makeStorePath("output:out", hashBytes("sha256", inner), name, storeDirectory);
}

/** The name of an output's object: the derivation's name, with `-<output>` for outputs other than `out`. */
export function outputPathName(derivationName: string, output: string): string {
  return output === "out" ? derivationName : `${derivationName}-${output}`;
}

/** Place of an input-addressed output. `inner` is the masked hash modulo of its derivation. */
export function makeOutputPath(
  output: string,
  inner: Hash | Uint8Array,
  derivationName: string,
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  return makeStorePath(`output:${output}`, inner, outputPathName(derivationName, output), storeDirectory);
}
