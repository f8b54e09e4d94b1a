import { makeStorePath, outputPathName, STORE_DIRECTORY, type StorePath, storePathBaseName } from "../store/index.ts";
import { derivationNameOf } from "./derivation.ts";

/**
 * Where an output is built whose path depends on its contents: its digest is replaced by the final one afterwards.
 *
 * Source: Nix, `makeFallbackPath`.
 */
export function makeScratchPath(
  drvPath: StorePath,
  output: string,
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  const type = `rewrite:${storePathBaseName(drvPath)}:name:${output}`;
  return makeStorePath(type, new Uint8Array(32), outputPathName(derivationNameOf(drvPath), output), storeDirectory);
}
