import { CodedError, sortedText } from "../base/index.ts";
import { makeOutputPath, STORE_DIRECTORY, type StorePath } from "../store/index.ts";
import { type Derivation, type DerivationOutput, outputKind, outputNames } from "./derivation.ts";
import { hashDerivationModulo, type InputHashes } from "./hash-modulo.ts";
import { downstreamPlaceholder } from "./placeholder.ts";

/** The path of an output of an input derivation; `undefined` when it is not realised. */
export type RealisedOutput = (drvPath: StorePath, output: string) => StorePath | undefined;

export interface ResolveOptions {
  readonly realised: RealisedOutput;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

/**
 * Whether a derivation can be built only after {@link resolveDerivation}: its own paths depend on what its inputs become, or
 * its texts hold placeholders for outputs of them.
 *
 * @param isStatic Whether the path of an input's output is known without building it.
 *
 * Source: Nix, `DerivationGoal::inputsRealised`.
 */
export function mustResolve(
  derivation: Derivation,
  isStatic: (drvPath: StorePath, output: string) => boolean,
): boolean {
  const kinds = Object.values(derivation.outputs).map(outputKind);
  if (kinds.includes("deferred") || derivation.nestedInputs !== undefined) return true;
  if (kinds.includes("floating") || kinds.includes("impure")) return derivation.inputDerivations.size > 0;
  return [...derivation.inputDerivations].some(([path, outputs]) => outputs.some((output) => !isStatic(path, output)));
}

/**
 * The derivation with its inputs as they turned out: no input derivations, the realised paths as sources, and these paths in
 * place of their placeholders. Outputs that were deferred get their paths. Derivations that are outputs are only passed through: what was
 * made of them is an input, they are not.
 *
 * Two derivations whose inputs turned out equal resolve to equal ones, which is what makes early cutoff possible.
 *
 * @throws {CodedError} `derivation.not-realised` names the first output that is missing.
 *
 * Source: Nix, `Derivation::tryResolve`.
 */
export function resolveDerivation(
  derivation: Derivation,
  { realised, storeDirectory = STORE_DIRECTORY }: ResolveOptions,
): Derivation {
  const sources = new Set(derivation.inputSources);
  const rewrites: [placeholder: string, path: StorePath][] = [];
  const find = (drvPath: StorePath, output: string): StorePath => {
    const path = realised(drvPath, output);
    if (path !== undefined) return path;
    throw new CodedError(
      "derivation.not-realised",
      `Cannot resolve the derivation "${derivation.name}": output "${output}" of "${drvPath}" is not realised`,
    );
  };
  for (const [drvPath, outputs] of derivation.inputDerivations) {
    for (const output of outputs) {
      const path = find(drvPath, output);
      sources.add(path);
      rewrites.push([downstreamPlaceholder(drvPath, output), path]);
    }
  }
  for (const { drvPath, through, outputs } of derivation.nestedInputs ?? []) {
    const inner = through.reduce(find, drvPath);
    const [first = "", ...deeper] = through;
    for (const output of outputs) {
      const path = find(inner, output);
      sources.add(path);
      rewrites.push([downstreamPlaceholder(drvPath, first, ...deeper, output), path]);
    }
  }
  const rewrite = (text: string): string => {
    let rewritten = text;
    for (const [from, to] of rewrites) rewritten = rewritten.replaceAll(from, to);
    return rewritten;
  };
  const { nestedInputs: _, ...plain } = derivation;
  const resolved: Derivation = {
    ...plain,
    inputDerivations: new Map(),
    inputSources: sortedText(sources) as StorePath[],
    builder: rewrite(derivation.builder),
    args: derivation.args.map(rewrite),
    env: Object.fromEntries(Object.entries(derivation.env).map(([key, value]) => [rewrite(key), rewrite(value)])),
  };
  return withDeferredPaths(resolved, storeDirectory);
}

/** Give deferred outputs their paths; the derivation must have no input derivations left. */
function withDeferredPaths(derivation: Derivation, storeDirectory: string): Derivation {
  const deferred = outputNames(derivation).filter(
    (name) => outputKind(derivation.outputs[name] as DerivationOutput) === "deferred",
  );
  if (deferred.length === 0) return derivation;
  const noInputs: InputHashes = () => ({ hashes: new Map(), deferred: false });
  const { hashes } = hashDerivationModulo(derivation, { masked: true, inputs: noInputs });
  const paths = deferred.map((name): [string, StorePath] => [
    name,
    makeOutputPath(name, hashes.get(name) as Uint8Array, derivation.name, storeDirectory),
  ]);
  return {
    ...derivation,
    outputs: {
      ...derivation.outputs,
      ...Object.fromEntries(paths.map(([name, path]) => [name, { path, hashAlgorithm: "", hash: "" }])),
    },
    env: { ...derivation.env, ...Object.fromEntries(paths) },
  };
}
