import { CodedError } from "../../base/index.ts";
import { type NixLiteral, type NixLiteralSet, NixReader } from "./nix-expression.ts";
import { checkNixReference, type NixReference, parseNixReference } from "./nix-reference.ts";

/** An input as a `flake.nix` declares it. */
export interface NixInput {
  /** Absent when it follows another one. */
  readonly reference?: NixReference | undefined;
  /** Names from the flake that declares it to the input it follows; none for that flake itself. */
  readonly follows?: readonly string[] | undefined;
  readonly flake: boolean;
  /** Declarations for inputs of it. */
  readonly overrides: NixInputs;
}

export type NixInputs = ReadonlyMap<string, NixInput>;

const FILE_ATTRIBUTES = ["description", "inputs", "nixConfig"];

/**
 * The inputs a `flake.nix` declares: those in `inputs`, and the arguments of `outputs` that are not among them.
 *
 * @throws {CodedError} `nix-flake.malformed`, `nix-expression.malformed`, `nix-reference.malformed`
 */
export function readNixInputs(text: string): NixInputs {
  const { set, functions } = new NixReader(text).file((name) => name === "outputs");
  const outputs = functions.get("outputs");
  if (outputs === undefined) throw malformed('it has no "outputs"');
  for (const name of set.keys())
    if (!FILE_ATTRIBUTES.includes(name)) throw malformed(`nothing is known of its attribute "${name}"`);
  const inputs = readInputs(set.get("inputs") ?? new Map(), "inputs");
  for (const name of outputs.formals) {
    if (name !== "self" && !inputs.has(name)) inputs.set(name, indirect(name));
  }
  return inputs;
}

function readInputs(value: NixLiteral, at: string): Map<string, NixInput> {
  if (!isSet(value)) throw malformed(`"${at}" is no set`);
  return new Map([...value].map(([name, input]) => [name, readInput(name, input, `${at}.${name}`)]));
}

function readInput(name: string, value: NixLiteral, at: string): NixInput {
  if (!isSet(value)) throw malformed(`"${at}" is no set`);
  const {
    url,
    follows,
    flake = true,
    inputs = new Map<string, NixLiteral>(),
    ...attributes
  } = Object.fromEntries(value);
  if (typeof flake !== "boolean") throw malformed(`"${at}.flake" is neither true nor false`);
  const overrides = readInputs(inputs, `${at}.inputs`);
  if (follows !== undefined) {
    if (typeof follows !== "string") throw malformed(`"${at}.follows" is no text`);
    return { follows: follows === "" ? [] : follows.split("/"), flake, overrides };
  }
  if (url !== undefined) {
    if (typeof url !== "string") throw malformed(`"${at}.url" is no text`);
    if (Object.keys(attributes).length > 0)
      throw malformed(`"${at}" has both "url" and "${Object.keys(attributes)[0]}"`);
    return { reference: parseNixReference(url), flake, overrides };
  }
  if (Object.keys(attributes).length > 0) return { reference: checkNixReference(attributes), flake, overrides };
  return { ...indirect(name), flake, overrides };
}

function indirect(name: string): NixInput {
  return { reference: parseNixReference(name), flake: true, overrides: new Map() };
}

function isSet(value: NixLiteral): value is NixLiteralSet {
  return value instanceof Map;
}

function malformed(found: string): CodedError {
  return new CodedError("nix-flake.malformed", `Cannot read the flake.nix: ${found}`);
}
