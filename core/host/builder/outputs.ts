import { createReadStream, lstatSync, mkdirSync } from "node:fs";
import { chmod, lstat, rename } from "node:fs/promises";
import { CodedError, equalHashes, type Hash, type HashAlgorithm, makeHasher, raise } from "../../base/index.ts";
import { checkOutputs, hashMismatch, outputPath } from "../../build/index.ts";
import { type Derivation, type FixedOutput, fixedOutputOf, outputNames } from "../../derivation/index.ts";
import { formatContentAddress, type PathInfo, type StorePath, storePathBaseName } from "../../store/index.ts";
import { copyTreeCanonical, hashTree, removeTree, type ScannedTree, scanTree } from "../files/index.ts";
import { missingOutputs } from "./failures.ts";

export interface CollectOutputsOptions {
  readonly drvPath: StorePath;
  readonly drv: Derivation;
  /** The directory the builder wrote its outputs into. */
  readonly directory: string;
  /** Paths an output may refer to, besides the outputs themselves. */
  readonly inputClosure: readonly StorePath[];
  readonly infoOf: (path: StorePath) => PathInfo | undefined;
}

/**
 * Look at what a builder made: all outputs are there, have the declared content and obey their rules. Modes and times are made
 * canonical, hashes, sizes and references found. Nothing is moved.
 *
 * @throws {CodedError} `build.missing-output`, `build.hash-mismatch`, `build.not-flat`, `build.fixed-with-references`,
 *   `build.forbidden-reference`, `build.too-large`, and those of making a tree canonical.
 */
export async function collectOutputs(options: CollectOutputsOptions): Promise<Record<string, PathInfo>> {
  const { drvPath, drv, directory } = options;
  const names = outputNames(drv);
  const paths = names.map((name) => outputPath(drvPath, drv, name));
  const missing: StorePath[] = [];
  for (const path of paths) {
    if ((await lstat(hostPlace(directory, path)).catch(() => undefined)) === undefined) missing.push(path);
  }
  if (missing.length > 0) throw missingOutputs(drvPath, missing);

  const fixed = fixedOutputOf(drv);
  if (fixed?.method === "flat") await checkFlat(hostPlace(directory, paths[0] as StorePath), drv.name);
  const candidates = [...options.inputClosure, ...paths];
  const built: Record<string, PathInfo> = {};
  for (const [i, name] of names.entries()) {
    const path = paths[i] as StorePath;
    const place = hostPlace(directory, path);
    const found = await scanTree(place, { candidates, canonicalise: true });
    built[name] = {
      path,
      narHash: found.narHash,
      narSize: found.narSize,
      references: found.references,
      deriver: drvPath,
      ultimate: true,
      signatures: [],
      ...(fixed === undefined ? {} : { ca: await fixedAddress(drv.name, fixed, place, found) }),
    };
  }
  const diagnostics = checkOutputs({ drv, built, infoOf: options.infoOf });
  try {
    raise(diagnostics);
  } catch (error) {
    const { code, message, hint, details } = error as CodedError;
    throw new CodedError(code, message, { hint, details, exitCode: 100 });
  }
  return built;
}

async function fixedAddress(name: string, fixed: FixedOutput, place: string, scanned: ScannedTree): Promise<string> {
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

async function declaredHashOf({ method, algorithm }: FixedOutput, place: string, scanned: ScannedTree): Promise<Hash> {
  if (method === "flat") return hashFile(place, algorithm);
  return algorithm === "sha256" ? scanned.narHash : (await hashTree(place, { algorithm })).narHash;
}

async function checkFlat(place: string, name: string): Promise<void> {
  const found = await lstat(place);
  if (!found.isFile() || (found.mode & 0o100) !== 0) {
    throw new CodedError(
      "build.not-flat",
      `Cannot accept "${name}": found ${found.isFile() ? "an executable file" : "no regular file"}, its hash mode "flat" expects a single file that is not executable`,
      { hint: `Declare the hash with method "recursive".`, exitCode: 100 },
    );
  }
}

/** Hash of a file's content alone. */
async function hashFile(file: string, algorithm: HashAlgorithm): Promise<Hash> {
  const hasher = makeHasher(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 })) hasher.update(chunk as Buffer);
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
  realPath: (path: string) => string,
): void {
  const valid = outputs.filter((path) => !missing.has(path));
  if (valid.length > 0) {
    throw new CodedError(
      "build.would-overwrite",
      `Cannot build "${name}" without a sandbox: its builder would overwrite ${valid.join(", ")}`,
      { hint: "Leave --no-sandbox away.", exitCode: 100 },
    );
  }
  for (const path of missing) removeTree(realPath(path));
}

/** Move finished outputs into the store. They count for nothing until they are registered. */
export async function moveOutputs(
  directory: string,
  realPath: (path: string) => string,
  infos: readonly PathInfo[],
): Promise<void> {
  for (const { path } of infos) {
    const from = hostPlace(directory, path);
    const to = realPath(path);
    if ((await lstat(to).catch(() => undefined)) !== undefined) removeTree(to);
    await moveTree(from, to);
  }
}

/** Rename a canonical tree. Only root may give a read-only directory a new parent, so it is made writable on the way. */
export async function moveTree(from: string, to: string): Promise<void> {
  const isDirectory = (await lstat(from)).isDirectory();
  if (isDirectory && process.getuid?.() !== 0) {
    await chmod(from, 0o755);
    await rename(from, to);
    await chmod(to, 0o555);
  } else await rename(from, to);
}

export function hostPlace(directory: string, path: StorePath): string {
  return `${directory}/${storePathBaseName(path)}`;
}
