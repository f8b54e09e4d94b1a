import { mkdir } from "node:fs/promises";
import { CodedError, type HashAlgorithm, type Hash, makeHasher } from "../../base/index.ts";
import { type Derivation, parseOutputAlgorithm } from "../../derivation/index.ts";
import {
  type ContentAddressMethod,
  DigestRewriter,
  formatContentAddress,
  makeContentAddressedPath,
  type PathInfo,
  SelfHasher,
  type StorePath,
  storePathDigest,
  storePathName,
} from "../../store/index.ts";
import { hashGit, rewriteTree, type ScannedTree, scanTree, walkNar } from "../files/index.ts";
import { checkRoot, isFileMethod, readFile } from "./flat-output.ts";
import { hostPlace, moveTree } from "./outputs.ts";

export interface SettleFloatingOptions {
  /** With scratch paths as its outputs. */
  readonly drv: Derivation;
  readonly drvPath: StorePath;
  /** Where the builder wrote its outputs. */
  readonly from: string;
  /** A directory for the finished outputs, on the same file system; it is made. */
  readonly to: string;
  /** What was found at the scratch paths. */
  readonly scanned: ReadonlyMap<string, ScannedTree>;
  /** Output names, each after those it refers to. */
  readonly order: readonly string[];
}

/**
 * Give outputs the paths that follow from their contents: digests of scratch paths are replaced in them, those of other outputs
 * before and the own one after its hash is taken. The trees lie below `to` afterwards.
 *
 * @throws {CodedError} `build.not-flat`, `content-address.references`
 *
 * Source: Nix, `LocalDerivationGoal::registerOutputs`.
 */
export async function settleFloating(options: SettleFloatingOptions): Promise<Record<string, PathInfo>> {
  const { drv, drvPath, from, to, scanned, order } = options;
  await mkdir(to);
  const built: Record<string, PathInfo> = {};
  const finals = new Map<StorePath, StorePath>();
  for (const name of order) {
    const output = drv.outputs[name];
    const scratch = output?.path as StorePath;
    const { method, algorithm } = parseOutputAlgorithm(output?.hashAlgorithm ?? "");
    const place = hostPlace(from, scratch);
    await checkRoot(place, drv.name, method);
    const found = scanned.get(name) as ScannedTree;
    const self = found.references.includes(scratch);
    const references = found.references
      .filter((reference) => reference !== scratch)
      .map((reference) => finals.get(reference) ?? reference);
    const siblings = new Map(
      found.references.filter((each) => finals.has(each)).map((each) => digests(each, finals.get(each))),
    );
    const hash = await hashFinished(place, { method, algorithm, siblings, scratch });
    const path = contentPath(drv, name, { method, hash }, { name: storePathName(scratch), references, self });
    finals.set(scratch, path);
    const final = hostPlace(to, path);
    const rewrites = new Map([...siblings, ...(self ? [digests(scratch, path)] : [])]);
    // Two outputs with the same contents and name cannot be; one that is there already is this one.
    if (rewrites.size === 0) moveTree(place, final);
    else await rewriteTree(place, final, rewrites);
    const { narHash, narSize } = rewrites.size === 0 ? found : await scanTree(final, { canonicalise: true });
    built[name] = {
      path,
      narHash,
      narSize,
      references: [...references, ...(self ? [path] : [])].sort(),
      deriver: drvPath,
      ultimate: true,
      signatures: [],
      ca: formatContentAddress({ method, hash }),
    };
  }
  return built;
}

function digests(from: StorePath, to: StorePath = from): [string, string] {
  return [storePathDigest(from), storePathDigest(to)];
}

interface HashFinishedOptions {
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
  readonly siblings: ReadonlyMap<string, string>;
  readonly scratch: StorePath;
}

/** Hash modulo self of what the output will be once the digests of other outputs in it are replaced. */
async function hashFinished(
  place: string,
  { method, algorithm, siblings, scratch }: HashFinishedOptions,
): Promise<Hash> {
  // Such an output may refer to nothing, so nothing has to be replaced in it.
  if (method === "git") return hashGit(place, algorithm);
  const isFile = isFileMethod(method);
  if (isFile && siblings.size === 0) {
    const hasher = makeHasher(algorithm);
    for await (const piece of readFile(place)) hasher.update(piece);
    return hasher.digest();
  }
  const rewriter = new DigestRewriter(siblings);
  const hasher = new SelfHasher(algorithm, storePathDigest(scratch));
  for await (const piece of isFile ? readFile(place) : walkNar(place)) hasher.update(rewriter.update(piece));
  hasher.update(rewriter.finish());
  return hasher.digest().hash;
}

function contentPath(
  drv: Derivation,
  output: string,
  address: Parameters<typeof makeContentAddressedPath>[1],
  { name, references, self }: { name: string; references: readonly StorePath[]; self: boolean },
): StorePath {
  try {
    return makeContentAddressedPath(name, address, { references, self });
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message, hint } = error;
    throw new CodedError(code, `Cannot accept output "${output}" of "${drv.name}": ${message}`, {
      hint,
      exitCode: 100,
    });
  }
}
