import {
  CodedError,
  formatHash,
  type Hash,
  type HashAlgorithm,
  isHashAlgorithm,
  parseHash,
  sortedText,
} from "../base/index.ts";
import { isGitAlgorithm } from "./git-hasher.ts";
import {
  type FileIngestionMethod,
  INGESTION_PREFIX,
  makeFixedPath,
  makeSourcePath,
  makeStorePath,
} from "./make-path.ts";
import type { PathInfo } from "./path-info.ts";
import { STORE_DIRECTORY, type StorePath, storePathName } from "./store-path.ts";

/** How the address of an object follows from what is in it; `text` is one file together with what it refers to. */
export type ContentAddressMethod = "text" | FileIngestionMethod;

/**
 * What a content-addressed object is the content of. Text form: `text:sha256:…`, `fixed:<algorithm>:…`, `fixed:r:<algorithm>:…`,
 * `fixed:git:<algorithm>:…`.
 */
export interface ContentAddress {
  readonly method: ContentAddressMethod;
  readonly hash: Hash;
}

const PREFIX: Readonly<Record<ContentAddressMethod, string>> = {
  text: "text:",
  flat: "fixed:",
  recursive: `fixed:${INGESTION_PREFIX.recursive}`,
  git: `fixed:${INGESTION_PREFIX.git}`,
};

/** The longer prefixes first, since they begin with a shorter one. */
const METHODS = ["text", "recursive", "git", "flat"] as const;

/** Whether objects of a method can be addressed by an algorithm: texts by sha256 alone, git knows two. */
export function fitsMethod(method: ContentAddressMethod, algorithm: HashAlgorithm): boolean {
  if (method === "text") return algorithm === "sha256";
  return method !== "git" || isGitAlgorithm(algorithm);
}

/** `fixed:r:sha256` and its like: an address without its digest. @throws {CodedError} `content-address.malformed` */
export function parseAddressMethod(text: string): {
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
} {
  const method = METHODS.find((each) => text.startsWith(PREFIX[each]));
  const algorithm = method === undefined ? "" : text.slice(PREFIX[method].length);
  if (method !== undefined && isHashAlgorithm(algorithm) && fitsMethod(method, algorithm)) return { method, algorithm };
  throw malformed(text, "and an algorithm");
}

export function formatContentAddress({ method, hash }: ContentAddress): string {
  return PREFIX[method] + formatHash(hash, "typed-base32");
}

/** @throws {CodedError} `content-address.malformed`, or those of `parseHash`. */
export function parseContentAddress(text: string): ContentAddress {
  const method = METHODS.find((each) => text.startsWith(PREFIX[each]));
  if (method === undefined) throw malformed(text, "and a hash");
  return { method, hash: parseHash(text.slice(PREFIX[method].length)) };
}

function malformed(text: string, rest: string): CodedError {
  return new CodedError(
    "content-address.malformed",
    `Cannot read "${text}" as a content address: expected "text:", "fixed:", "fixed:r:" or "fixed:git:" ${rest}`,
  );
}

/**
 * The place of a content-addressed object.
 *
 * @param references Without the object itself.
 * @param self Whether the object refers to itself; the hash is then the hash modulo self.
 * @throws {CodedError} `content-address.references` when such an object cannot have them: only texts and archives hashed with
 *   sha256 have references, only archives refer to themselves; `content-address.algorithm` when it cannot be addressed by it.
 */
export function makeContentAddressedPath(
  name: string,
  { method, hash }: ContentAddress,
  { references = [], self = false, storeDirectory = STORE_DIRECTORY }: ContentAddressedPathOptions = {},
): StorePath {
  const sha256 = hash.algorithm === "sha256";
  if (method === "recursive" && sha256) return makeSourcePath(name, hash, references, self, storeDirectory);
  if (method === "text" && sha256 && !self) {
    const type = ["text", ...new Set(sortedText(references))].join(":");
    return makeStorePath(type, hash, name, storeDirectory);
  }
  if (method !== "text" && fitsMethod(method, hash.algorithm) && references.length === 0 && !self) {
    return makeFixedPath({ name, method, hash, storeDirectory });
  }
  if (!fitsMethod(method, hash.algorithm)) {
    throw new CodedError(
      "content-address.algorithm",
      `Cannot make the path of "${name}": found an address by ${method} and ${hash.algorithm}, expected ${method === "text" ? "sha256" : "sha1 or sha256"}`,
    );
  }
  const found = [...references, ...(self ? ["itself"] : [])].join(", ");
  throw new CodedError(
    "content-address.references",
    `Cannot make the path of "${name}" from its content address (${method}, ${hash.algorithm}): found the references ${found}, which such an object cannot have`,
    {
      hint: "Texts need sha256 and cannot refer to themselves; of the others only trees with sha256 may have references.",
    },
  );
}

export interface ContentAddressedPathOptions {
  /** Default none. */
  readonly references?: readonly StorePath[];
  /** Default false. */
  readonly self?: boolean;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

/**
 * Whether recomputing the path from its content address, name and references gives the path. Such an object needs no
 * signature. The contents themselves are not looked at.
 */
export function isVerifiablyContentAddressed(info: PathInfo, storeDirectory: string = STORE_DIRECTORY): boolean {
  if (info.ca === undefined) return false;
  const { method, hash } = parseContentAddress(info.ca);
  const name = storePathName(info.path);
  const references = info.references.filter((r) => r !== info.path);
  const self = references.length !== info.references.length;
  if (!fitsMethod(method, hash.algorithm) || (method === "text" && self)) return false;
  if (info.references.length > 0 && (method === "flat" || method === "git" || hash.algorithm !== "sha256"))
    return false;
  return makeContentAddressedPath(name, { method, hash }, { references, self, storeDirectory }) === info.path;
}
