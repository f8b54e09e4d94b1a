import { CodedError, type Diagnostic, type Hash, type HashAlgorithm, sortedText, toBase16 } from "../base/index.ts";
import {
  checkName,
  type ContentAddressMethod,
  makeContentAddressedPath,
  makeOutputPath,
  STORE_DIRECTORY,
} from "../store/index.ts";
import {
  type Derivation,
  type DerivationOutput,
  fixedOutputOf,
  formatOutputAlgorithm,
  outputKind,
  outputNames,
} from "./derivation.ts";
import { shareTerm } from "./aterm.ts";
import { hashDerivationModulo, type InputHashes } from "./hash-modulo.ts";
import { placeholder } from "./placeholder.ts";

/** How the paths of a derivation's outputs come about. */
export type OutputRule =
  | { readonly kind: "input-addressed"; readonly outputs: readonly string[] }
  | { readonly kind: "fixed"; readonly method: ContentAddressMethod; readonly hash: Hash }
  | {
      readonly kind: "floating" | "impure";
      readonly outputs: readonly string[];
      readonly method: ContentAddressMethod;
      readonly algorithm: HashAlgorithm;
    };

/** Names of outputs: like names of store objects, and never `drv`. */
export function checkOutputName(name: string, derivation: string): string {
  if (name === "drv") {
    throw new CodedError(
      "derivation.output-name",
      `Cannot make the derivation "${derivation}": an output may not be named "drv"`,
    );
  }
  return checkName(name);
}

export interface WithOutputsOptions {
  readonly inputs: InputHashes;
  /** Default `/nix/store`. */
  readonly storeDirectory?: string;
}

/**
 * Complete a derivation: give it its outputs and the environment variables named like them (which win over variables of the
 * same name): the path where it is known, the placeholder for floating and impure outputs, nothing for deferred ones.
 *
 * @throws {CodedError} `derivation.no-outputs`, `derivation.output-name`, `store-path.name`, `content-address.algorithm`
 */
export function withOutputs(
  base: Omit<Derivation, "outputs">,
  rule: OutputRule,
  { inputs, storeDirectory = STORE_DIRECTORY }: WithOutputsOptions,
): Derivation {
  const names = rule.kind === "fixed" ? ["out"] : rule.outputs;
  if (names.length === 0)
    throw new CodedError("derivation.no-outputs", `Cannot make the derivation "${base.name}": it has no outputs`);
  for (const name of names) checkOutputName(name, base.name);
  const complete = (output: (name: string) => DerivationOutput, variable: (name: string) => string): Derivation => ({
    ...base,
    outputs: Object.fromEntries(names.map((name) => [name, output(name)])),
    env: Object.fromEntries([...Object.entries(base.env), ...names.map((name) => [name, variable(name)] as const)]),
  });
  if (rule.kind === "fixed") {
    const path = makeContentAddressedPath(base.name, rule, { storeDirectory });
    const hashAlgorithm = formatOutputAlgorithm(rule.method, rule.hash.algorithm);
    return complete(
      () => ({ path, hashAlgorithm, hash: toBase16(rule.hash.digest) }),
      () => path,
    );
  }
  if (rule.kind !== "input-addressed") {
    const hashAlgorithm = formatOutputAlgorithm(rule.method, rule.algorithm);
    return complete(() => ({ path: "", hashAlgorithm, hash: rule.kind === "impure" ? "impure" : "" }), placeholder);
  }
  const empty = { path: "", hashAlgorithm: "", hash: "" };
  const masked = complete(
    () => empty,
    () => "",
  );
  const { hashes, deferred } = hashDerivationModulo(masked, { masked: true, inputs });
  if (deferred) return masked;
  const paths = new Map(
    names.map((name) => [name, makeOutputPath(name, hashes.get(name) as Uint8Array, base.name, storeDirectory)]),
  );
  const known = complete(
    (name) => ({ ...empty, path: paths.get(name) as string }),
    (name) => paths.get(name) as string,
  );
  shareTerm(masked, known);
  return known;
}

/**
 * Give a derivation whose outputs state no paths the paths they must have; one that states them is left as it is, and
 * {@link checkOutputPaths} finds what is wrong with it. Errors as {@link withOutputs}.
 */
export function completeOutputs(derivation: Derivation, options: WithOutputsOptions): Derivation {
  const names = outputNames(derivation);
  const outputs = names.map((name) => derivation.outputs[name] as DerivationOutput);
  if (outputs.some(({ path }) => path !== "")) return derivation;
  const kinds = new Set(outputs.map(outputKind));
  const fixed = fixedOutputOf(derivation);
  if (kinds.size === 1 && names.length === 1 && fixed !== undefined)
    return withOutputs(derivation, { kind: "fixed", method: fixed.method, hash: fixed }, options);
  if (kinds.size === 1 && kinds.has("deferred"))
    return withOutputs(derivation, { kind: "input-addressed", outputs: names }, options);
  return derivation;
}

/**
 * Check that a derivation states the output paths it must have. Nix does this whenever a `.drv` file becomes valid and
 * refuses the file otherwise, so we do it before we register one.
 */
export function checkOutputPaths(
  derivation: Derivation,
  { inputs, storeDirectory = STORE_DIRECTORY }: WithOutputsOptions,
): Diagnostic[] {
  const names = outputNames(derivation);
  const kinds = new Set(names.map((name) => outputKind(derivation.outputs[name] as DerivationOutput)));
  const fault = (found: string): Diagnostic => ({
    code: "derivation.inconsistent",
    message: `Cannot accept the derivation "${derivation.name}": ${found}`,
  });
  if (kinds.size !== 1) return [fault(`its outputs are of different kinds (${sortedText(kinds).join(", ")})`)];
  const [kind] = kinds;
  let expected: Derivation;
  if (kind === "fixed") {
    const fixed = fixedOutputOf(derivation);
    if (fixed === undefined || names.length !== 1)
      return [fault(`found the outputs ${names.join(", ")}, expected only "out" because its content is fixed`)];
    expected = withOutputs(derivation, { kind, method: fixed.method, hash: fixed }, { inputs, storeDirectory });
  } else if (kind === "input-addressed") {
    expected = withOutputs(derivation, { kind, outputs: names }, { inputs, storeDirectory });
  } else {
    return [];
  }
  return names.flatMap((name) => {
    const right = expected.outputs[name]?.path ?? "";
    const stated = derivation.outputs[name]?.path;
    if (stated !== right) return [fault(`output "${name}" has the path "${stated}", expected "${right}"`)];
    const variable = Object.hasOwn(derivation.env, name) ? derivation.env[name] : undefined;
    return variable === right
      ? []
      : [fault(`the variable "${name}" is "${variable ?? "missing"}", expected "${right}"`)];
  });
}
