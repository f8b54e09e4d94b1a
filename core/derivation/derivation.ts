import { CodedError, fromBase16, type HashAlgorithm, isHashAlgorithm, sortedText } from "../base/index.ts";
import {
  type ContentAddressMethod,
  fitsMethod,
  INGESTION_PREFIX,
  isDerivationPath,
  makeTextPath,
  STORE_DIRECTORY,
  type StorePath,
  storePathName,
} from "../store/index.ts";
import type { NestedInput } from "./nested-inputs.ts";

/**
 * One output as the `.drv` file has it. Three texts, of which the kind decides which are empty:
 *
 * | kind | path | hashAlgorithm | hash |
 * |---|---|---|---|
 * | input-addressed | path | | |
 * | fixed | path | `[method:]algorithm` | base 16 |
 * | floating | | `[method:]algorithm` | |
 * | deferred | | | |
 * | impure | | `[method:]algorithm` | `impure` |
 *
 * The method is `r:` for archives of trees, `git:` or `text:`; none for the bytes of one file.
 */
export interface DerivationOutput {
  readonly path: string;
  readonly hashAlgorithm: string;
  readonly hash: string;
}

export type OutputKind = "input-addressed" | "fixed" | "floating" | "deferred" | "impure";

/** A pure description of one build action. */
export interface Derivation {
  /** Not in the file: it comes from the path, without `.drv`. */
  readonly name: string;
  readonly outputs: Readonly<Record<string, DerivationOutput>>;
  /** Derivations whose outputs are needed, with the names of these outputs. */
  readonly inputDerivations: ReadonlyMap<StorePath, readonly string[]>;
  /** Outputs of outputs that are needed, in the order of {@link sortNested}; absent when there are none. */
  readonly nestedInputs?: readonly NestedInput[] | undefined;
  readonly inputSources: readonly StorePath[];
  /** `x86_64-linux`, or `builtin` for builders inside the program. */
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export function outputKind(output: DerivationOutput): OutputKind {
  if (output.hash === "impure") return "impure";
  if (output.hash !== "") return "fixed";
  if (output.hashAlgorithm !== "") return "floating";
  return output.path === "" ? "deferred" : "input-addressed";
}

/** What stands before the algorithm of an output. Source: Nix, `ContentAddressMethod::renderPrefix`. */
const METHOD_PREFIX: Readonly<Record<ContentAddressMethod, string>> = { ...INGESTION_PREFIX, text: "text:" };

/** `r:sha256` → recursive, sha256. @throws {CodedError} `derivation.hash-algorithm` */
export function parseOutputAlgorithm(text: string): { method: ContentAddressMethod; algorithm: HashAlgorithm } {
  const method = (["recursive", "git", "text"] as const).find((each) => text.startsWith(METHOD_PREFIX[each])) ?? "flat";
  const algorithm = text.slice(METHOD_PREFIX[method].length);
  if (!isHashAlgorithm(algorithm) || !fitsMethod(method, algorithm)) {
    throw new CodedError(
      "derivation.hash-algorithm",
      `Cannot use "${text}" as an output's hash algorithm: expected md5, sha1, sha256 or sha512, with "r:" for trees, "git:" (sha1 and sha256) or "text:" (sha256)`,
    );
  }
  return { method, algorithm };
}

export function formatOutputAlgorithm(method: ContentAddressMethod, algorithm: HashAlgorithm): string {
  return METHOD_PREFIX[method] + algorithm;
}

export interface FixedOutput {
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
  readonly digest: Uint8Array;
  readonly path: string;
}

/** The declared content of a fixed-output derivation; `undefined` for every other kind. */
export function fixedOutputOf(derivation: Derivation): FixedOutput | undefined {
  const { out } = derivation.outputs;
  if (out === undefined || outputKind(out) !== "fixed") return undefined;
  return { ...parseOutputAlgorithm(out.hashAlgorithm), digest: fromBase16(out.hash), path: out.path };
}

/** Whether nothing is promised of the outputs but that a builder made them: each build is a new one. */
export function isImpure(derivation: Derivation): boolean {
  return Object.values(derivation.outputs).some((output) => outputKind(output) === "impure");
}

/** Output names in byte order. */
export function outputNames(derivation: Derivation): string[] {
  return sortedText(Object.keys(derivation.outputs));
}

/** What a `.drv` file refers to: its sources and input derivations. Its outputs are no references. */
export function derivationReferences(derivation: Derivation): StorePath[] {
  return sortedText(new Set([...derivation.inputSources, ...derivation.inputDerivations.keys()])) as StorePath[];
}

/** The place of the `.drv` file with this text and these references. */
export function derivationTextPath(
  name: string,
  text: string,
  references: readonly StorePath[],
  storeDirectory: string = STORE_DIRECTORY,
): StorePath {
  return makeTextPath(`${name}.drv`, text, references, storeDirectory);
}

/** The derivation's name that a `.drv` path stands for. @throws {CodedError} `derivation.not-a-derivation` */
export function derivationNameOf(path: StorePath): string {
  if (!isDerivationPath(path)) {
    throw new CodedError(
      "derivation.not-a-derivation",
      `Cannot read "${path}" as a derivation: its name does not end in ".drv"`,
    );
  }
  return storePathName(path).slice(0, -".drv".length);
}
