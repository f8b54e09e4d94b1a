import { CodedError } from "../base/index.ts";
import { DIGEST_CHARACTER, DIGEST_LENGTH, isDerivationPath, STORE_DIRECTORY, type StorePath } from "../store/index.ts";
import { currentState, type EvaluationState, type Origin } from "./evaluation.ts";
import { type NestedInput, sortNested } from "./nested-inputs.ts";

const RUN = new RegExp(`${DIGEST_CHARACTER}{${DIGEST_LENGTH},}`, "g");
/** Below this length scanning again is cheaper than remembering. */
const REMEMBER_FROM_LENGTH = 256;

/**
 * What a text refers to: every digest of a store path in it, wherever it stands and whatever surrounds it.
 *
 * @param where Names the text in the error: `variable "src"`.
 * @throws {CodedError} `derivation.unknown-reference` for a whole store path whose digest this evaluation did not make.
 */
export function scanText(state: EvaluationState, text: string, where: string): readonly Origin[] {
  if (text.length < DIGEST_LENGTH) return [];
  const remembered = text.length >= REMEMBER_FROM_LENGTH ? state.scans.get(text) : undefined;
  if (remembered !== undefined) return remembered;
  const found = new Map<string, Origin>();
  RUN.lastIndex = 0;
  for (let match = RUN.exec(text); match !== null; match = RUN.exec(text)) {
    const run = match[0];
    for (let i = 0; i + DIGEST_LENGTH <= run.length; i++) {
      const digest = run.length === DIGEST_LENGTH ? run : run.slice(i, i + DIGEST_LENGTH);
      const origin = state.origins.get(digest);
      if (origin !== undefined) found.set(digest, origin);
    }
    if (run.length === DIGEST_LENGTH && !found.has(run) && isStorePathAt(text, match.index))
      throw unknownReference(text, match.index, where);
  }
  const origins = [...found.values()];
  // A later registration cannot change the answer: an unknown store path throws, so nothing is remembered about it.
  if (text.length >= REMEMBER_FROM_LENGTH) state.scans.set(text, origins);
  return origins;
}

function isStorePathAt(text: string, digestAt: number): boolean {
  return (
    text[digestAt + DIGEST_LENGTH] === "-" &&
    text.startsWith(`${STORE_DIRECTORY}/`, digestAt - STORE_DIRECTORY.length - 1)
  );
}

function unknownReference(text: string, digestAt: number, where: string): CodedError {
  const start = digestAt - STORE_DIRECTORY.length - 1;
  const path = /^[0-9A-Za-z+._?=/-]*/.exec(text.slice(start))?.[0] ?? "";
  const line = text.slice(text.lastIndexOf("\n", start) + 1, start) + path;
  return new CodedError(
    "derivation.unknown-reference",
    `Cannot use "${line.length > 160 ? `…${line.slice(-160)}` : line}" in ${where}: no derivation or source of this evaluation made "${path}"`,
    { hint: "Take store paths from packages and sources of this evaluation; do not write them by hand." },
  );
}

/** The inputs of a derivation that a set of texts amounts to. */
export interface Inputs {
  readonly derivations: Map<StorePath, Set<string>>;
  /** Outputs of outputs of these. */
  readonly nested: NestedInput[];
  readonly sources: Set<StorePath>;
}

export function makeInputs(): Inputs {
  return { derivations: new Map(), nested: [], sources: new Set() };
}

/** Add what a text refers to. */
export function addInputs(state: EvaluationState, inputs: Inputs, text: string, where: string): void {
  for (const origin of scanText(state, text, where)) {
    if (origin.kind === "source") inputs.sources.add(origin.path);
    else if (origin.kind === "output") addOutput(inputs, origin.drvPath, origin.output);
    else if (origin.kind === "nested") addNested(inputs, origin);
    else addDerivationClosure(state, inputs, origin.drvPath);
  }
}

function addOutput(inputs: Inputs, drvPath: StorePath, output: string): void {
  const outputs = inputs.derivations.get(drvPath);
  if (outputs === undefined) inputs.derivations.set(drvPath, new Set([output]));
  else outputs.add(output);
}

function addNested(inputs: Inputs, { drvPath, through, output }: Origin & { kind: "nested" }): void {
  if (!inputs.derivations.has(drvPath)) inputs.derivations.set(drvPath, new Set());
  inputs.nested.push({ drvPath, through, outputs: [output] });
}

/**
 * Naming a `.drv` file means the file with all it refers to, and all outputs of every derivation in that closure, so that
 * the builder could build it again.
 *
 * Source: Nix, `derivationStrict`, "=" contexts.
 */
function addDerivationClosure(state: EvaluationState, inputs: Inputs, drvPath: StorePath): void {
  const pending: StorePath[] = [drvPath];
  const seen = new Set<StorePath>(pending);
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    inputs.sources.add(path);
    const references: StorePath[] = [];
    if (isDerivationPath(path)) {
      const derivation = state.made.get(path);
      for (const output of Object.keys(derivation?.outputs ?? {})) addOutput(inputs, path, output);
      references.push(...(derivation?.inputDerivations.keys() ?? []), ...(derivation?.inputSources ?? []));
    } else {
      const source = state.sources.get(path);
      if (source?.kind === "text") references.push(...(source.references as StorePath[]));
    }
    for (const reference of references) {
      if (seen.has(reference)) continue;
      seen.add(reference);
      pending.push(reference);
    }
  }
}

/** Which derivation outputs, outputs of outputs and sources of the current evaluation a text refers to. Errors as {@link scanText}. */
export function contextOf(text: string): {
  derivations: Map<string, string[]>;
  nested: NestedInput[];
  sources: string[];
} {
  const state = currentState();
  const inputs = makeInputs();
  addInputs(state, inputs, text, "a string");
  return {
    derivations: new Map([...inputs.derivations].map(([path, outputs]) => [path, [...outputs]])),
    nested: sortNested(inputs.nested),
    sources: [...inputs.sources],
  };
}
