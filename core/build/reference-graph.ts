import { CodedError, compareText, formatHash, sortedText } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import type { PathInfo, StorePath } from "../store/index.ts";

/** What exporting a graph has to know about the store. */
export interface GraphSource {
  /** Closure of some valid paths, in any order. */
  closure(paths: readonly StorePath[]): readonly StorePath[];
  /** Facts about a valid path. */
  infoOf(path: StorePath): PathInfo | undefined;
  readDerivation(drvPath: StorePath): Derivation;
}

/**
 * The paths an exported graph covers: the closure of `start`, and for every derivation in it the closure of its outputs.
 * Sorted by path.
 *
 * @throws {CodedError} `build.graph-not-input` when a path is no input of the derivation.
 */
export function graphPaths(start: readonly StorePath[], inputs: ReadonlySet<string>, source: GraphSource): StorePath[] {
  for (const path of start) {
    if (!inputs.has(path)) {
      throw new CodedError(
        "build.graph-not-input",
        `Cannot export the references of "${path}": it is not in the input closure of the derivation`,
        { hint: "Interpolate the package in an environment variable as well, so that it becomes an input." },
      );
    }
  }
  const paths = new Set<StorePath>(source.closure(start));
  for (const path of [...paths]) {
    if (!path.endsWith(".drv")) continue;
    const outputs = Object.values(source.readDerivation(path).outputs).map((output) => output.path as StorePath);
    for (const each of source.closure(outputs)) paths.add(each);
  }
  return sortedText(paths) as StorePath[];
}

/** The text form, one entry for each path: path, empty deriver, number of references, references. Source: `nix-store --load-db` without hashes. */
export function formatGraphText(paths: readonly StorePath[], source: GraphSource): string {
  return paths.map((path) => `${path}\n\n${formatReferences(path, source)}`).join("");
}

function formatReferences(path: StorePath, source: GraphSource): string {
  const references = sortedText(getInfo(path, source).references);
  return [String(references.length), ...references].map((line) => `${line}\n`).join("");
}

/** The form of structured attributes: an array of facts, sorted by path; keys in byte order. */
export function graphObjects(paths: readonly StorePath[], source: GraphSource): object[] {
  return [...paths].sort(compareText).map((path) => {
    const info = getInfo(path, source);
    const closureSize = source.closure([path]).reduce((sum, each) => sum + getInfo(each, source).narSize, 0);
    return {
      ...(info.ca === undefined ? {} : { ca: info.ca }),
      closureSize,
      narHash: formatHash(info.narHash, "typed-base32"),
      narSize: info.narSize,
      path,
      references: sortedText(info.references),
    };
  });
}

function getInfo(path: StorePath, source: GraphSource): PathInfo {
  const info = source.infoOf(path);
  if (info === undefined) {
    throw new CodedError(
      "build.graph-not-valid",
      `Cannot export the references of "${path}": it is not valid in this store`,
    );
  }
  return info;
}
