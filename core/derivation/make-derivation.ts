import {
  callerLocation,
  CodedError,
  type Hash,
  type HashAlgorithm,
  parseHash,
  type SourceLocation,
  sortedText,
} from "../base/index.ts";
import {
  checkName,
  type ContentAddressMethod,
  DIGEST_LENGTH,
  STORE_DIRECTORY,
  type StorePath,
  storePathDigest,
} from "../store/index.ts";
import { formatDerivation } from "./aterm.ts";
import { coerceToText, toStructured } from "./coerce.ts";
import { type Derivation, derivationReferences, derivationTextPath } from "./derivation.ts";
import { currentState, type EvaluationState } from "./evaluation.ts";
import { sortNested } from "./nested-inputs.ts";
import { type OutputRule, withOutputs } from "./output-paths.ts";
import { downstreamPlaceholder } from "./placeholder.ts";
import { addInputs, makeInputs } from "./scan.ts";
import { formatStructuredAttrs } from "./structured-attrs.ts";

export interface DerivationOptions {
  readonly name: string;
  /** `x86_64-linux`, or `builtin`. */
  readonly system: string;
  readonly builder: string;
  /** Default none. */
  readonly args?: readonly unknown[];
  /** Variables; see `coerceToText` for how values become text. `undefined` leaves one out. */
  readonly env?: Readonly<Record<string, unknown>>;
  /** Names in the order of the variable `outputs`, which is set only when this is given. Default `out` alone. */
  readonly outputs?: readonly string[];
  /**
   * The content is known beforehand, so the builder may use the network. `hash` in any text form of a hash. The variables
   * `outputHash`, `outputHashAlgo` and `outputHashMode` are set accordingly unless `env` has them.
   */
  readonly fixed?: { readonly method: ContentAddressMethod; readonly hash: string };
  /**
   * The outputs' paths follow from what is in them, once they are built: an output that comes out as before changes nothing
   * downstream, so what depends on it is not built again. `true` means trees, by sha256. In strings such an output is a
   * placeholder until then. The variables `outputHashAlgo` and `outputHashMode` are set unless `env` has them.
   */
  readonly contentAddressed?: boolean | { readonly method: ContentAddressMethod; readonly algorithm: HashAlgorithm };
  /**
   * The builder may use the network and give something else each time: it runs whenever the outputs are asked for, where the
   * machine allows that. Only fixed outputs and other impure derivations may depend on it. `contentAddressed` may say by which method
   * the outputs are addressed. Default false.
   */
  readonly impure?: boolean;
  /** Where it is written, for errors. Default the caller; builders give their own caller's place (`captureCaller` of `#floe/base`). */
  readonly at?: (() => SourceLocation | undefined) | undefined;
  /** Pass all attributes as JSON instead of variables; these are joined with those of `env`. */
  readonly structuredAttrs?: object;
}

type ContentAddressing = Exclude<NonNullable<DerivationOptions["contentAddressed"]>, boolean>;

/** A derivation of the current evaluation. In a string it is the path of its first output, or a placeholder for that. */
export interface DerivationValue {
  readonly name: string;
  readonly drvPath: string;
  /** Path of `out`, or of the first output when none is named so. */
  readonly outPath: string;
  /** Paths by output name. */
  readonly outputs: Readonly<Record<string, string>>;
  toString(): string;
}

/**
 * Describe one build action. Pure: nothing is built or written; the evaluation remembers the description.
 *
 * What other derivations and sources the strings refer to becomes its inputs.
 *
 * @throws {CodedError} at the caller's line: `derivation.unknown-reference`, `derivation.bad-value`, `derivation.no-outputs`,
 *   `derivation.output-name`, `derivation.fixed-outputs`, `derivation.structured-value`, `store-path.name`, `hash.*`,
 *   `evaluation.not-begun`
 *
 * @example derivation({ name: "hello", system: "x86_64-linux", builder: `${bash}/bin/bash`, args: ["-c", "echo hello > $out"] })
 */
export function derivation(options: DerivationOptions): DerivationValue {
  return placed(derivation, () => make(currentState(), options), options.at);
}

/** Run, and give an error without a place the place of our caller, or the one that `where` gives. */
export function placed<T>(above: Function, run: () => T, where?: () => SourceLocation | undefined): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof CodedError) || error.at !== undefined) throw error;
    const { code, message, hint, details, exitCode, cause } = error;
    throw new CodedError(code, message, { hint, details, exitCode, cause, at: where?.() ?? callerLocation(above) });
  }
}

function make(state: EvaluationState, options: DerivationOptions): DerivationValue {
  const { name, system, builder } = options;
  for (const [field, value] of Object.entries({ name, system, builder })) checkText(field, value, name);
  // Its file has a longer name than its outputs.
  checkName(name);
  checkName(`${name}.drv`);
  const hash = options.fixed === undefined ? undefined : parseHash(options.fixed.hash);
  const env = variables(options, hash);
  const args = (options.args ?? []).map((arg, i) => coerceToText(arg, `argument ${i + 1}`));
  const inputs = makeInputs();
  const inside = (what: string): string => `${what} of "${name}"`;
  addInputs(state, inputs, builder, inside("the builder"));
  args.forEach((arg, i) => addInputs(state, inputs, arg, inside(`argument ${i + 1}`)));
  for (const [key, value] of Object.entries(env)) addInputs(state, inputs, value, inside(`variable "${key}"`));
  const base = {
    name,
    system,
    builder,
    args,
    env,
    inputDerivations: new Map([...inputs.derivations].map(([path, outputs]) => [path, sortedText(outputs)])),
    ...(inputs.nested.length === 0 ? {} : { nestedInputs: sortNested(inputs.nested) }),
    inputSources: sortedText(inputs.sources) as StorePath[],
  };
  return remember(state, withOutputs(base, outputRule(options, hash), { inputs: state.inputs }), options.outputs);
}

/** The compiler sees to this where it is asked. */
function checkText(field: string, value: unknown, name: unknown): void {
  if (typeof value === "object" && value !== null && field === "builder") return;
  if (typeof value === "string" && value !== "") return;
  const found = value === undefined ? "is missing" : value === "" ? "is empty" : `is a ${typeof value}`;
  throw new CodedError(
    "derivation.bad-value",
    `Cannot make the derivation${typeof name === "string" ? ` "${name}"` : ""}: its ${field} ${found}, expected a text`,
    { hint: 'Write: derivation({ name: "hello", system: "x86_64-linux", builder: `${bash}/bin/bash`, args: [ … ] })' },
  );
}

function outputRule(options: DerivationOptions, hash: Hash | undefined): OutputRule {
  const { name, outputs, fixed } = options;
  const floating = contentAddressing(options);
  if (fixed === undefined || hash === undefined) {
    const names = outputs ?? ["out"];
    return floating === undefined
      ? { kind: "input-addressed", outputs: names }
      : { kind: options.impure === true ? "impure" : "floating", outputs: names, ...floating };
  }
  if (floating !== undefined) {
    throw new CodedError(
      "derivation.fixed-outputs",
      `Cannot make the derivation "${name}": its content is fixed, so it is not for the builder to say ("${options.impure === true ? "impure" : "contentAddressed"}")`,
    );
  }
  if (outputs !== undefined && (outputs.length !== 1 || outputs[0] !== "out")) {
    throw new CodedError(
      "derivation.fixed-outputs",
      `Cannot make the derivation "${name}": found the outputs ${outputs.join(", ")}, expected only "out" because its content is fixed`,
    );
  }
  return { kind: "fixed", method: fixed.method, hash };
}

function contentAddressing({ impure, contentAddressed = impure }: DerivationOptions): ContentAddressing | undefined {
  if (contentAddressed === undefined || contentAddressed === false) return undefined;
  return contentAddressed === true ? { method: "recursive", algorithm: "sha256" } : contentAddressed;
}

/** The environment without the output variables. */
function variables(options: DerivationOptions, hash: Hash | undefined): Record<string, string> {
  const { name, system, builder, outputs, fixed, structuredAttrs } = options;
  const floating = contentAddressing(options);
  const declared =
    fixed === undefined || hash === undefined
      ? floating === undefined
        ? {}
        : { outputHashAlgo: floating.algorithm, outputHashMode: floating.method }
      : { outputHash: fixed.hash, outputHashAlgo: hash.algorithm, outputHashMode: fixed.method };
  const attributes: Record<string, unknown> = {
    ...declared,
    ...options.env,
    name,
    system,
    builder,
    ...(outputs === undefined ? {} : { outputs }),
  };
  if (structuredAttrs !== undefined) {
    const all = { ...attributes, ...structuredAttrs };
    return { __json: formatStructuredAttrs(toStructured(all, `the structured attributes of "${name}"`)) };
  }
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, coerceToText(value, `variable "${key}" of "${name}"`)]));
}

/** Enter a derivation into the tables of the evaluation, and give its value. */
function remember(state: EvaluationState, made: Derivation, order: readonly string[] = ["out"]): DerivationValue {
  const text = formatDerivation(made);
  const drvPath = derivationTextPath(made.name, text, derivationReferences(made));
  if (!state.derivations.has(drvPath)) {
    state.derivations.set(drvPath, text);
    state.made.set(drvPath, made);
    state.origins.set(storePathDigest(drvPath), { kind: "derivation", drvPath });
    for (const output of Object.keys(made.outputs)) {
      const digest = originDigest(outputText(drvPath, made, output));
      // Two derivations may promise one fixed output; the first one made stands for it.
      if (!state.origins.has(digest)) state.origins.set(digest, { kind: "output", drvPath, output });
    }
  }
  const outputs = Object.fromEntries(order.map((output) => [output, outputText(drvPath, made, output)]));
  const outPath = (outputs["out"] ?? outputs[order[0] as string]) as string;
  return { name: made.name, drvPath, outPath, outputs, toString: () => outPath };
}

/** What stands for an output in strings: its path, or a placeholder while that is not known. */
export function outputText(drvPath: StorePath, made: Derivation, output: string): string {
  const path = made.outputs[output]?.path ?? "";
  return path === "" ? downstreamPlaceholder(drvPath, output) : path;
}

/** The part of a path or placeholder that is looked for in strings; a placeholder has 52 characters, of which the first will do. */
export function originDigest(text: string): string {
  return isStorePathText(text) ? storePathDigest(text) : text.slice(1, 1 + DIGEST_LENGTH);
}

function isStorePathText(text: string): text is StorePath {
  return text.startsWith(`${STORE_DIRECTORY}/`);
}
