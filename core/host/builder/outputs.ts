import { chmodSync, lstatSync, mkdirSync, renameSync, type Stats } from "node:fs";
import { CodedError, equalHashes, type Hash, type HashAlgorithm, makeHasher, raise } from "../../base/index.ts";
import { checkOutputs, discardsReferences, hashMismatch, isFloating, outputPath } from "../../build/index.ts";
import { type Derivation, type FixedOutput, fixedOutputOf, outputNames } from "../../derivation/index.ts";
import {
  closureOf,
  formatContentAddress,
  type PathInfo,
  type StorePath,
  storePathBaseName,
} from "../../store/index.ts";
import { copyTreeCanonical, hashGit, hashTree, removeTree, type ScannedTree, scanTree } from "../files/index.ts";
import { missingOutputs } from "./failures.ts";
import { checkRoot, isFileMethod, readFile } from "./flat-output.ts";
import { settleFloating } from "./floating-outputs.ts";

/** Users of one build: as many as `count`, from the first on. */
export interface Owners {
  readonly first: number;
  readonly count: number;
}

function isOneOf({ first, count }: Owners, uid: number): boolean {
  return uid >= first && uid < first + count;
}

export interface CollectOutputsOptions {
  readonly drvPath: StorePath;
  /** With scratch paths for outputs whose paths are not known. */
  readonly drv: Derivation;
  /** The directory the builder wrote its outputs into. */
  readonly directory: string;
  /** A directory that is not there yet, beside it: outputs that get another path are put there. */
  readonly settledDirectory: string;
  /** Paths an output may refer to, besides the outputs themselves. */
  readonly inputClosure: readonly StorePath[];
  readonly infoOf: (path: StorePath) => PathInfo | undefined;
  /** Whose all files must be. Default: anybody's. */
  readonly owners?: Owners | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CollectedOutputs {
  /** By output name. */
  readonly infos: Readonly<Record<string, PathInfo>>;
  /** The directory they lie in now. */
  readonly directory: string;
}

/**
 * Look at what a builder made: all outputs are there, have the declared content and obey their rules. Modes and times are made
 * canonical, hashes, sizes and references found; outputs that are addressed by their content get their paths.
 *
 * @throws {CodedError} `build.missing-output`, `build.hash-mismatch`, `build.not-flat`, `build.fixed-with-references`,
 *   `build.output-cycle`, `build.forbidden-reference`, `build.too-large`, `build.foreign-file`, `content-address.references`, and those of making
 *   a tree canonical.
 */
export async function collectOutputs(options: CollectOutputsOptions): Promise<CollectedOutputs> {
  const { drvPath, drv, directory, settledDirectory } = options;
  const names = outputNames(drv);
  const paths = new Map(names.map((name) => [outputPath(drvPath, drv, name), name]));
  const missing: StorePath[] = [];
  for (const path of paths.keys()) {
    if (lstatSync(hostPlace(directory, path), { throwIfNoEntry: false }) === undefined) missing.push(path);
  }
  if (missing.length > 0) throw missingOutputs(drvPath, missing);

  const fixed = fixedOutputOf(drv);
  const mentionable = [...options.inputClosure, ...paths.keys()];
  const inspect = options.owners === undefined ? undefined : ownerCheck(options.owners);
  const scanned = new Map<string, ScannedTree>();
  for (const [path, name] of paths) {
    const place = hostPlace(directory, path);
    if (fixed !== undefined) await checkRoot(place, drv.name, fixed.method);
    const candidates = discardsReferences(drv, name) ? [] : mentionable;
    scanned.set(name, await scanTree(place, { candidates, canonicalise: true, inspect, signal: options.signal }));
  }
  const order = orderOutputs(drv.name, paths, scanned);
  let infos: Record<string, PathInfo> = {};
  if (isFloating(drv)) {
    infos = await settleFloating({ drv, drvPath, from: directory, to: settledDirectory, scanned, order });
  } else {
    for (const [path, name] of paths) {
      const { narHash, narSize, references } = scanned.get(name) as ScannedTree;
      const facts = { path, narHash, narSize, references, deriver: drvPath, ultimate: true, signatures: [] };
      const ca =
        fixed === undefined ? {} : { ca: await fixedAddress(drv.name, fixed, hostPlace(directory, path), facts) };
      infos[name] = { ...facts, ...ca };
    }
  }
  const outputs = Object.entries(drv.outputs).map(([name, output]) => [name, { ...output, path: infos[name]?.path }]);
  const diagnostics = checkOutputs({
    drv: { ...drv, outputs: Object.fromEntries(outputs) },
    built: infos,
    infoOf: options.infoOf,
  });
  try {
    raise(diagnostics);
  } catch (error) {
    const { code, message, hint, details } = error as CodedError;
    throw new CodedError(code, message, { hint, details, exitCode: 100 });
  }
  return { infos, directory: isFloating(drv) ? settledDirectory : directory };
}

/** Output names, each after those it refers to. @throws {CodedError} `build.output-cycle` */
function orderOutputs(
  name: string,
  paths: ReadonlyMap<StorePath, string>,
  scanned: ReadonlyMap<string, ScannedTree>,
): string[] {
  try {
    const order = closureOf(paths.keys(), (path) =>
      (scanned.get(paths.get(path) as string)?.references ?? []).filter((reference) => paths.has(reference)),
    );
    return order.map((path) => paths.get(path) as string);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const named = [...paths.values()].filter((output) =>
      scanned.get(output)?.references.some((reference) => paths.has(reference) && paths.get(reference) !== output),
    );
    throw new CodedError(
      "build.output-cycle",
      `Cannot accept "${name}": its outputs ${named.join(", ")} refer to each other`,
      {
        hint: "Move what both need into one of them, or into an output of its own.",
        exitCode: 100,
      },
    );
  }
}

/**
 * Refuse outputs that others than their builder could have written to.
 *
 * @throws {CodedError} `build.suspicious-output`
 *
 * Source: Nix, `LocalDerivationGoal::registerOutputs`.
 */
export function checkOwnership(drv: Derivation, places: readonly string[], owners: Owners | undefined): void {
  for (const place of places) {
    const stat = lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const isOpen = !stat.isSymbolicLink() && (stat.mode & 0o022) !== 0;
    if (!isOpen && (owners === undefined || isOneOf(owners, stat.uid))) continue;
    const found = isOpen ? `mode ${(stat.mode & 0o7777).toString(8).padStart(4, "0")}` : `owner ${stat.uid}`;
    throw new CodedError(
      "build.suspicious-output",
      `Cannot accept "${drv.name}": its output has ${found}, expected one that only its builder could write to`,
      { hint: "Take the right to write from group and others: `chmod go-w $out`.", exitCode: 100 },
    );
  }
}

/**
 * Refuses a file of somebody else that got into an output by a link; one with several names is ours after its first.
 *
 * The check throws a {@link CodedError} `build.foreign-file`.
 */
export function ownerCheck(owners: Owners): (path: string, stat: Stats) => void {
  const seen = new Set<string>();
  return (path, stat) => {
    const key = `${stat.dev}:${stat.ino}`;
    if (!isOneOf(owners, stat.uid) && !seen.has(key)) {
      throw new CodedError(
        "build.foreign-file",
        `Cannot accept "${path}": it belongs to user ${stat.uid}, expected the user of the build, ${owners.first}`,
        { exitCode: 100 },
      );
    }
    if (stat.nlink > 1) seen.add(key);
  };
}

async function fixedAddress(
  name: string,
  fixed: FixedOutput,
  place: string,
  scanned: Omit<ScannedTree, "references"> & Pick<PathInfo, "references">,
): Promise<string> {
  const declared: Hash = { algorithm: fixed.algorithm, digest: fixed.digest };
  const found = await declaredHashOf(fixed, place, scanned);
  if (!equalHashes(found, declared)) throw hashMismatch(name, declared, found);
  if (scanned.references.length > 0) {
    throw new CodedError(
      "build.fixed-with-references",
      `Cannot accept "${name}": its content is declared by hash but refers to ${scanned.references.join(", ")}`,
      {
        hint: "What is fetched must not hold store paths; take them out before the output is finished.",
        exitCode: 100,
      },
    );
  }
  return formatContentAddress({ method: fixed.method, hash: declared });
}

async function declaredHashOf(
  { method, algorithm }: FixedOutput,
  place: string,
  scanned: Pick<ScannedTree, "narHash">,
): Promise<Hash> {
  if (isFileMethod(method)) return hashFile(place, algorithm);
  if (method === "git") return hashGit(place, algorithm);
  return algorithm === "sha256" ? scanned.narHash : (await hashTree(place, { algorithm })).narHash;
}

/** Hash of a file's content alone. */
async function hashFile(file: string, algorithm: HashAlgorithm): Promise<Hash> {
  const hasher = makeHasher(algorithm);
  for await (const chunk of readFile(file)) hasher.update(chunk);
  return hasher.digest();
}

/** Copy the outputs that are there into a new directory. Errors as `walkNar`. */
export async function copyOutputs(from: string, to: string, drv: Derivation): Promise<void> {
  mkdirSync(to);
  for (const { path } of Object.values(drv.outputs)) {
    const place = hostPlace(from, path as StorePath);
    if (lstatSync(place, { throwIfNoEntry: false }) !== undefined)
      await copyTreeCanonical(place, hostPlace(to, path as StorePath));
  }
}

/**
 * Take away what an earlier builder without a sandbox may have left where this one will write.
 *
 * @throws {CodedError} `build.would-overwrite` when an output is valid: without a sandbox there is no other place for its name.
 */
export function makeRoom(
  name: string,
  outputs: readonly StorePath[],
  missing: ReadonlySet<StorePath>,
  placeOf: (path: string) => string,
): void {
  const valid = outputs.filter((path) => !missing.has(path));
  if (valid.length > 0) {
    throw new CodedError(
      "build.would-overwrite",
      `Cannot build "${name}" without a sandbox: its builder would overwrite ${valid.join(", ")}`,
      { hint: "Leave --no-sandbox away.", exitCode: 100 },
    );
  }
  for (const path of missing) removeTree(placeOf(path));
}

/** Move finished outputs into the store. They count for nothing until they are registered. */
export function moveOutputs(directory: string, placeOf: (path: string) => string, infos: readonly PathInfo[]): void {
  for (const { path } of infos) {
    const from = hostPlace(directory, path);
    const to = placeOf(path);
    removeTree(to);
    moveTree(from, to);
  }
}

/** Rename a canonical tree. Only root may give a read-only directory a new parent, so it is made writable on the way. */
export function moveTree(from: string, to: string): void {
  // Each of these takes less time than the way to another thread and back.
  if (process.getuid?.() !== 0 && lstatSync(from).isDirectory()) {
    chmodSync(from, 0o755);
    renameSync(from, to);
    chmodSync(to, 0o555);
  } else renameSync(from, to);
}

export function hostPlace(directory: string, path: StorePath): string {
  return `${directory}/${storePathBaseName(path)}`;
}
