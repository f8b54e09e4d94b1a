import { CodedError, formatHash, hashBytes, toBase16 } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import { formatTerm } from "./aterm.ts";
import { type Derivation, fixedOutputOf, formatOutputAlgorithm, outputKind, outputNames } from "./derivation.ts";

/** What stands for a derivation inside its dependents: sha256 digests by output name. */
export interface HashModulo {
  readonly hashes: ReadonlyMap<string, Uint8Array>;
  /** The hash depends on something that is known only after a build. */
  readonly deferred: boolean;
}

/** The hash modulo (unmasked) of an input derivation. */
export type InputHashes = (drvPath: StorePath) => HashModulo;

/**
 * Hash of a derivation modulo its fixed-output inputs: how those are fetched does not matter, only what they contain.
 *
 * @param options.masked Leave out the own output paths; it is this hash output paths are made from. Dependents use the unmasked one.
 * @param options.inputs Gives the unmasked hash of each input; should remember its answers, or shared inputs cost exponential time.
 *
 * Source: Nix, `hashDerivationModulo`.
 */
export function hashDerivationModulo(
  derivation: Derivation,
  { masked, inputs }: { masked: boolean; inputs: InputHashes },
): HashModulo {
  const names = outputNames(derivation);
  const fixed = fixedOutputOf(derivation);
  if (fixed !== undefined) {
    const digest = formatHash({ algorithm: fixed.algorithm, digest: fixed.digest }, "base16");
    const clear = `fixed:out:${formatOutputAlgorithm(fixed.method, fixed.algorithm)}:${digest}:${fixed.path}`;
    return { hashes: new Map([["out", hashBytes("sha256", clear).digest]]), deferred: false };
  }
  const kinds = names.map((name) => outputKind(derivation.outputs[name] as NonNullable<Derivation["outputs"][string]>));
  if (kinds.includes("impure")) {
    const digest = hashBytes("sha256", "impure").digest;
    return { hashes: new Map(names.map((name) => [name, digest])), deferred: true };
  }
  const { nestedInputs = [] } = derivation;
  let deferred = kinds.includes("floating") || nestedInputs.length > 0;
  // Keyed by hash: inputs with equal hashes (one source from two mirrors) become one entry with both their outputs.
  const hashed = new Map<string, string[]>();
  const keyOf = (drvPath: StorePath, output: string): string => {
    const { hashes } = inputs(drvPath);
    const digest = hashes.get(output);
    if (digest !== undefined) return base16Of(digest);
    throw new CodedError(
      "derivation.no-such-output",
      `Cannot use output "${output}" of "${drvPath}" in "${derivation.name}": found only ${[...hashes.keys()].join(", ")}`,
    );
  };
  for (const [drvPath, wanted] of derivation.inputDerivations) {
    deferred ||= inputs(drvPath).deferred;
    for (const output of wanted) {
      const key = keyOf(drvPath, output);
      const outputs = hashed.get(key);
      if (outputs === undefined) hashed.set(key, [output]);
      else outputs.push(output);
    }
  }
  const nested = nestedInputs.map(({ drvPath, through, outputs }) => {
    const key = keyOf(drvPath, through[0] as string);
    if (!hashed.has(key)) hashed.set(key, []);
    return { input: key, through, outputs };
  });
  const { digest } = hashBytes("sha256", formatTerm(derivation, { inputs: hashed, nested, masked }));
  return { hashes: new Map(names.map((name) => [name, digest])), deferred };
}

/** Of digests that stand in many terms. */
const BASE16 = new WeakMap<Uint8Array, string>();

function base16Of(digest: Uint8Array): string {
  let text = BASE16.get(digest);
  if (text === undefined) {
    text = toBase16(digest);
    BASE16.set(digest, text);
  }
  return text;
}

/** Hashes of inputs that are read on demand and remembered. */
export function makeInputHashes(read: (drvPath: StorePath) => Derivation): InputHashes {
  const known = new Map<StorePath, HashModulo>();
  const inputs: InputHashes = (drvPath) => {
    let hash = known.get(drvPath);
    if (hash === undefined) {
      hash = hashDerivationModulo(read(drvPath), { masked: false, inputs });
      known.set(drvPath, hash);
    }
    return hash;
  };
  return inputs;
}
