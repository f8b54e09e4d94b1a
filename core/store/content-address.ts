import { CodedError, formatHash, type Hash, parseHash, sortedText } from "../base/index.ts";
import { type FileIngestionMethod, makeFixedPath, makeSourcePath, makeStorePath } from "./make-path.ts";
import type { PathInfo } from "./path-info.ts";
import { STORE_DIRECTORY, type StorePath, storePathName } from "./store-path.ts";

/** What a content-addressed object is the content of. Text form: `text:sha256:…`, `fixed:<algorithm>:…`, `fixed:r:<algorithm>:…`. */
export interface ContentAddress {
  readonly method: "text" | FileIngestionMethod;
  readonly hash: Hash;
}

const PREFIX: Readonly<Record<ContentAddress["method"], string>> = {
  text: "text:",
  flat: "fixed:",
  recursive: "fixed:r:",
};

export function formatContentAddress({ method, hash }: ContentAddress): string {
  return PREFIX[method] + formatHash(hash, "typed-base32");
}

/** @throws {CodedError} `content-address.malformed`, or those of `parseHash`. */
export function parseContentAddress(text: string): ContentAddress {
  for (const method of ["text", "recursive", "flat"] as const) {
    if (text.startsWith(PREFIX[method])) return { method, hash: parseHash(text.slice(PREFIX[method].length)) };
  }
  throw new CodedError(
    "content-address.malformed",
    `Cannot read "${text}" as a content address: expected "text:", "fixed:" or "fixed:r:" and a hash`,
  );
}

/**
 * The place of a content-addressed object.
 *
 * @param references Without the object itself.
 * @param self Whether the object refers to itself; the hash is then the hash modulo self.
 * @throws {CodedError} `content-address.references` when such an object cannot have them: only texts and trees hashed with
 *   sha256 have references, only trees refer to themselves.
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
  if (method !== "text" && references.length === 0 && !self) {
    return makeFixedPath({ name, method, hash, storeDirectory });
  }
  const found = [...references, ...(self ? ["itself"] : [])].join(", ") || "none";
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
  if (method === "text" && (self || hash.algorithm !== "sha256")) return false;
  if (info.references.length > 0 && (method === "flat" || hash.algorithm !== "sha256")) return false;
  return makeContentAddressedPath(name, { method, hash }, { references, self, storeDirectory }) === info.path;
}
