import { foldDigest, hashBytes, toBase32 } from "../base/index.ts";
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

/**
 * What stands for the output of another derivation whose paths are not known before it is built.
 *
 * @param deeper The output is a derivation, of which this output is meant, and so on.
 *
 * Source: Nix, `DownstreamPlaceholder`.
 */
export function downstreamPlaceholder(drvPath: StorePath, output: string, ...deeper: readonly string[]): string {
  const clear = `nix-upstream-output:${storePathDigest(drvPath)}:${outputPathName(derivationNameOf(drvPath), output)}`;
  let { digest } = hashBytes("sha256", clear);
  for (const name of deeper)
    ({ digest } = hashBytes("sha256", `nix-computed-output:${toBase32(foldDigest(digest, 20))}:${name}`));
  return `/${toBase32(digest)}`;
}
