import { CodedError, equalHashes, formatHash, type Hash } from "../base/index.ts";
import { isVerifiablyContentAddressed } from "./content-address.ts";
import type { PathInfo } from "./path-info.ts";
import type { StorePath } from "./store-path.ts";

/**
 * Check what every store checks before an object becomes valid.
 *
 * @throws {CodedError} `store.reference-not-valid`, `store.content-address-mismatch`
 */
export function checkRegistrable(info: PathInfo, isValid: (path: StorePath) => boolean): void {
  for (const reference of info.references) {
    if (reference === info.path || isValid(reference)) continue;
    throw new CodedError(
      "store.reference-not-valid",
      `Cannot register "${info.path}": it refers to "${reference}", which is not valid`,
    );
  }
  if (info.ca !== undefined && !isVerifiablyContentAddressed(info)) {
    throw new CodedError(
      "store.content-address-mismatch",
      `Cannot register "${info.path}": its content address "${info.ca}" belongs to another path`,
    );
  }
}

/** @throws {CodedError} `store.nar-mismatch` with both hashes. */
export function checkNar(info: PathInfo, found: { readonly narHash: Hash; readonly narSize: number }): void {
  if (equalHashes(info.narHash, found.narHash) && info.narSize === found.narSize) return;
  const show = ({ narHash, narSize }: { narHash: Hash; narSize: number }): string =>
    `${formatHash(narHash, "sri")} (${narSize} bytes)`;
  throw new CodedError(
    "store.nar-mismatch",
    `Cannot import "${info.path}": found the archive ${show(found)}, expected ${show(info)}`,
  );
}

/** @throws {CodedError} `store.not-valid` */
export function notValid(path: StorePath): CodedError {
  return new CodedError("store.not-valid", `Cannot use "${path}": it is not valid in this store`, {
    hint: "Build it, or copy it from a store that has it.",
  });
}
