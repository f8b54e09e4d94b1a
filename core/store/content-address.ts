import { CodedError, formatHash, type Hash, parseHash, sortedText } from "../base/index.ts";
import { type FileIngestionMethod, makeFixedPath, makeSourcePath, makeStorePath } from "./make-path.ts";
import type { PathInfo } from "./path-info.ts";
import { STORE_DIRECTORY, storePathName } from "./store-path.ts";

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
 * Whether recomputing the path from its content address, name and references gives the path. Such an object needs no
 * signature. The contents themselves are not looked at.
 */
export function isVerifiablyContentAddressed(info: PathInfo, storeDirectory: string = STORE_DIRECTORY): boolean {
  if (info.ca === undefined) return false;
  const { method, hash } = parseContentAddress(info.ca);
  const name = storePathName(info.path);
  const references = info.references.filter((r) => r !== info.path);
  const self = references.length !== info.references.length;
  if (method === "text") {
    if (self || hash.algorithm !== "sha256") return false;
    return makeStorePath(["text", ...sortedText(references)].join(":"), hash, name, storeDirectory) === info.path;
  }
  if (method === "recursive" && hash.algorithm === "sha256") {
    return makeSourcePath(name, hash, references, self, storeDirectory) === info.path;
  }
  return info.references.length === 0 && makeFixedPath({ name, method, hash, storeDirectory }) === info.path;
}
