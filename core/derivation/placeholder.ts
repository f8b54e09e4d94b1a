import { hashBytes, toBase32 } from "../base/index.ts";
import { outputPathName, type StorePath, storePathDigest } from "../store/index.ts";
import { derivationNameOf } from "./derivation.ts";

/**
 * What stands for an own output's path as long as it is not known: 53 characters, `/` and a whole, unfolded sha256.
 *
 * Source: Nix, `hashPlaceholder`.
 */
export function placeholder(output: string): string {
  return `/${toBase32(hashBytes("sha256", `nix-output:${output}`).digest)}`;
}

/** What stands for the output of another derivation whose paths are not known before it is built. */
export function downstreamPlaceholder(drvPath: StorePath, output: string): string {
  const clear = `nix-upstream-output:${storePathDigest(drvPath)}:${outputPathName(derivationNameOf(drvPath), output)}`;
  return `/${toBase32(hashBytes("sha256", clear).digest)}`;
}
