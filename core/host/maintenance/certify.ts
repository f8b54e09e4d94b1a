import { lstatSync, readFileSync } from "node:fs";
import { fromUtf8, type Hash, type HashAlgorithm, hashBytes, makeHasher } from "../../base/index.ts";
import { derivationNameOf, derivationReferences, parseDerivation } from "../../derivation/index.ts";
import {
  type FileIngestionMethod,
  formatContentAddress,
  GitHasher,
  isGitAlgorithm,
  isDerivationPath,
  makeFixedPath,
  makeSourcePath,
  makeTextPath,
  type PathInfo,
  type StorePath,
  storePathName,
} from "../../store/index.ts";
import { readTree, scanTree } from "../files/index.ts";

const ALGORITHMS: readonly HashAlgorithm[] = ["sha256", "sha1", "sha512", "md5"];
/** A text object or a flat file larger than this is not read into memory. */
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * The facts of an object that nobody recorded, when its own path certifies what it holds: `.drv` files, texts, sources, fixed
 * outputs. What a builder made does not say whether it is complete, so it gives `undefined`.
 *
 * @param real Its place on the host.
 * @param candidates Paths it may refer to.
 */
export async function certify(
  path: StorePath,
  real: string,
  candidates: readonly StorePath[],
): Promise<PathInfo | undefined> {
  const { narHash, narSize, references } = await scanTree(real, { candidates });
  const known = { path, narHash, narSize, signatures: [] };
  const stat = lstatSync(real);
  const contents = stat.isFile() && stat.size <= MOST_BYTES ? readFileSync(real) : undefined;
  const found = contents === undefined ? undefined : (asDerivation(path, contents) ?? references);
  if (contents !== undefined && found !== undefined && makeTextPath(storePathName(path), contents, found) === path) {
    const ca = formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) });
    return { ...known, references: found, ca };
  }
  const others = references.filter((reference) => reference !== path);
  if (others.length === references.length && makeSourcePath(storePathName(path), narHash, references) === path)
    return { ...known, references, ca: formatContentAddress({ method: "recursive", hash: narHash }) };
  const fixed = await fixedAddress(path, real, contents);
  return fixed === undefined ? undefined : { ...known, references: [], ca: formatContentAddress(fixed) };
}

/** The references of a `.drv` file are its inputs, in whatever other form they are mentioned. */
function asDerivation(path: StorePath, contents: Uint8Array): readonly StorePath[] | undefined {
  if (!isDerivationPath(path)) return undefined;
  try {
    return derivationReferences(parseDerivation(fromUtf8(contents), derivationNameOf(path)));
  } catch (error) {
    if ((error as Error).name === "CodedError") return undefined;
    throw error;
  }
}

async function fixedAddress(
  path: StorePath,
  real: string,
  contents: Uint8Array | undefined,
): Promise<{ method: FileIngestionMethod; hash: Hash } | undefined> {
  const name = storePathName(path);
  const archives = ALGORITHMS.map((algorithm) => makeHasher(algorithm));
  const git = ALGORITHMS.filter(isGitAlgorithm).map((algorithm) => new GitHasher(algorithm));
  await readTree(real, [...archives, ...git]);
  const found: { method: FileIngestionMethod; hash: Hash | undefined }[] = [
    ...ALGORITHMS.map((algorithm) => ({
      method: "flat" as const,
      hash: contents === undefined ? undefined : hashBytes(algorithm, contents),
    })),
    ...archives.map((hasher) => ({ method: "recursive" as const, hash: hasher.digest() })),
    ...git.map((hasher) => ({ method: "git" as const, hash: hasher.find() })),
  ];
  for (const { method, hash } of found)
    if (hash !== undefined && makeFixedPath({ name, method, hash }) === path) return { method, hash };
  return undefined;
}
