import { CodedError, compareText, fromBase16, sortedText } from "../base/index.ts";
import { parseStorePath, STORE_DIRECTORY, type StorePath } from "../store/index.ts";
import {
  type Derivation,
  type DerivationOutput,
  derivationReferences,
  derivationTextPath,
  outputKind,
  parseOutputAlgorithm,
} from "./derivation.ts";
import { DEEPEST_INPUT, type NestedInput, sortNested, type WantedTree, wantedTree } from "./nested-inputs.ts";

/** The version of terms that have outputs of outputs among their inputs; others have none. Source: Nix, `dynamic-derivations`. */
const NESTED_VERSION = "xp-dyn-drv";
const NEEDS_ESCAPE = /["\\\n\r\t]/;
const ESCAPE_ALL = /["\\\n\r\t]/g;
const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const UNESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** Exactly five characters are escaped; every other byte, control characters included, stays as it is. */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? `"${text.replace(ESCAPE_ALL, (c) => ESCAPES[c] as string)}"` : `"${text}"`;
}

function list(items: readonly string[]): string {
  return `[${items.join(",")}]`;
}

function entries<V>(record: Readonly<Record<string, V>>): [string, V][] {
  return Object.entries(record).sort(([a], [b]) => compareText(a, b));
}

export interface FormatTermOptions {
  /** Inputs as they shall appear: paths, or hashes for the hash modulo. */
  readonly inputs: ReadonlyMap<string, readonly string[]>;
  /** Outputs of outputs of these inputs. Default none. */
  readonly nested?: readonly NestedTerm[] | undefined;
  /** Blank output paths and the variables named like outputs. */
  readonly masked: boolean;
}

/** As {@link NestedInput}, for an input by whatever it appears as. */
interface NestedTerm extends Pick<NestedInput, "through" | "outputs"> {
  readonly input: string;
}

/** What is the same in all forms of a derivation's term: each is written three times, and most of it is long texts. */
interface TermParts {
  readonly sources: string;
  /** From the platform to the arguments. */
  readonly middle: string;
  /** Names of the variables in order, and the variables as the term has them. */
  readonly names: readonly string[];
  readonly variables: readonly string[];
}

const PARTS = new WeakMap<Derivation, TermParts>();

function partsOf(derivation: Derivation): TermParts {
  let parts = PARTS.get(derivation);
  if (parts !== undefined) return parts;
  const { inputSources, system, builder, args, env } = derivation;
  const names = sortedText(Object.keys(env));
  parts = {
    sources: list(sortedText(new Set<string>(inputSources)).map((source) => `"${source}"`)),
    middle: `"${system}",${quote(builder)},${list(args.map(quote))}`,
    names,
    variables: names.map((name) => variable(name, env[name] as string)),
  };
  PARTS.set(derivation, parts);
  return parts;
}

function variable(name: string, value: string): string {
  return `(${quote(name)},${quote(value)})`;
}

/** Say that a derivation is another one except for its outputs and the variables named like them. */
export function shareTerm(from: Derivation, to: Derivation): void {
  const { variables, ...parts } = partsOf(from);
  const own = ({ env, outputs }: Derivation, name: string): string | undefined =>
    Object.hasOwn(outputs, name) ? variable(name, env[name] as string) : undefined;
  PARTS.set(to, { ...parts, variables: variables.map((line, i) => own(to, parts.names[i] as string) ?? line) });
}

/** The term of a derivation; the general form of {@link formatDerivation}. */
export function formatTerm(derivation: Derivation, { inputs, nested = [], masked }: FormatTermOptions): string {
  const { sources, middle, names, variables } = partsOf(derivation);
  const outputs = entries(derivation.outputs).map(
    ([name, o]) => `("${name}","${masked ? "" : o.path}","${o.hashAlgorithm}","${o.hash}")`,
  );
  const inputTerms = [...inputs]
    .sort(([a], [b]) => compareText(a, b))
    .map(([input, wanted]) => {
      const deeper = nested.filter((each) => each.input === input);
      return `("${input}",${formatWanted(wantedTree(wanted, deeper))})`;
    });
  const env = masked
    ? variables.map((line, i) =>
        Object.hasOwn(derivation.outputs, names[i] as string) ? variable(names[i] as string, "") : line,
      )
    : variables;
  const head = nested.length === 0 ? "Derive(" : `DrvWithVersion("${NESTED_VERSION}",`;
  return `${head}${list(outputs)},${list(inputTerms)},${sources},${middle},${list(env)})`;
}

/** A list of names; with outputs of outputs a pair of it and theirs. */
function formatWanted({ outputs, inner }: WantedTree): string {
  const names = list(outputs.map((name) => `"${name}"`));
  if (inner.size === 0) return names;
  return `(${names},${list([...inner].map(([name, wanted]) => `("${name}",${formatWanted(wanted)})`))})`;
}

/** The canonical text of a `.drv` file: one line, everything sorted by bytes, no final newline. */
export function formatDerivation(derivation: Derivation): string {
  const { inputDerivations, nestedInputs } = derivation;
  const nested = nestedInputs?.map(({ drvPath, ...rest }) => ({ input: drvPath, ...rest }));
  return formatTerm(derivation, { inputs: inputDerivations, nested, masked: false });
}

/** The place of a derivation's `.drv` file. */
export function derivationPath(derivation: Derivation, storeDirectory: string = STORE_DIRECTORY): StorePath {
  return derivationTextPath(
    derivation.name,
    formatDerivation(derivation),
    derivationReferences(derivation),
    storeDirectory,
  );
}

/**
 * Read the text of a `.drv` file.
 *
 * As lenient as Nix where that is harmless: order is free, the last of equal variables wins, text after the term is ignored.
 *
 * @param name The derivation's name; the text does not have it.
 * @throws {CodedError} `derivation.malformed`; `derivation.hash-algorithm`; `store-path.*` for inputs and outputs outside the store.
 */
export function parseDerivation(text: string, name: string, storeDirectory: string = STORE_DIRECTORY): Derivation {
  const reader = new TermReader(text, name);
  const { outputs, inputDerivations, nestedInputs, inputSources } = readHead(reader, name, storeDirectory);
  const system = reader.next();
  const builder = reader.next();
  reader.expect(",");
  const args = reader.list(() => reader.string());
  reader.expect(",");
  const env = reader.list((): [string, string] => {
    reader.expect("(");
    const pair: [string, string] = [reader.string(), reader.next()];
    reader.expect(")");
    return pair;
  });
  reader.expect(")");
  return {
    name,
    outputs: Object.fromEntries(outputs),
    inputDerivations: new Map(inputDerivations),
    ...(nestedInputs.length === 0 ? {} : { nestedInputs: sortNested(nestedInputs) }),
    inputSources: sortedText(new Set(inputSources)) as StorePath[],
    system,
    builder,
    args,
    env: Object.fromEntries(env),
  };
}

/**
 * What a derivation refers to, from the beginning of its text; what comes after that (the builder, its arguments and environment: most
 * of the text) is not looked at.
 *
 * @throws {CodedError} As {@link parseDerivation}, for that beginning.
 */
export function parseDerivationReferences(
  text: string,
  name: string,
  storeDirectory: string = STORE_DIRECTORY,
): StorePath[] {
  const { inputDerivations, inputSources } = readHead(new TermReader(text, name), name, storeDirectory);
  return [...inputDerivations.map(([path]) => path), ...inputSources];
}

interface Head {
  readonly outputs: [string, DerivationOutput][];
  readonly inputDerivations: [StorePath, readonly string[]][];
  readonly nestedInputs: NestedInput[];
  readonly inputSources: StorePath[];
}

/** All before the platform. */
function readHead(reader: TermReader, name: string, storeDirectory: string): Head {
  const path = (): StorePath => parseStorePath(reader.string(), storeDirectory);
  const isNested = reader.skip("DrvWithVersion(");
  if (isNested) readVersion(reader, name);
  else reader.expect("Derive(");
  const outputs = reader.list((): [string, DerivationOutput] => {
    reader.expect("(");
    const output = reader.string();
    const fields = { path: reader.next(), hashAlgorithm: reader.next(), hash: reader.next() };
    reader.expect(")");
    return [output, checkOutput(fields, name, storeDirectory)];
  });
  if (outputs.length === 0) throw malformed(name, "it has no outputs");
  reader.expect(",");
  const nestedInputs: NestedInput[] = [];
  const inputDerivations = reader.list((): [StorePath, readonly string[]] => {
    reader.expect("(");
    const drvPath = path();
    reader.expect(",");
    const add = (through: readonly string[], wanted: readonly string[]): void => {
      if (wanted.length > 0) nestedInputs.push({ drvPath, through, outputs: wanted });
    };
    const wanted = isNested ? readWanted(reader, name, [], add) : reader.list(() => reader.string());
    reader.expect(")");
    return [drvPath, wanted];
  });
  reader.expect(",");
  return { outputs, inputDerivations, nestedInputs, inputSources: reader.list(path) };
}

function readVersion(reader: TermReader, name: string): void {
  const version = reader.string();
  if (version !== NESTED_VERSION)
    throw malformed(name, `found the version ${JSON.stringify(version)}, expected "${NESTED_VERSION}"`);
  reader.expect(",");
}

/** Inverse of {@link formatWanted}: gives the outputs that are wanted here, and those of outputs to `add`. */
function readWanted(
  reader: TermReader,
  name: string,
  through: readonly string[],
  add: (through: readonly string[], wanted: readonly string[]) => void,
): string[] {
  if (through.length > DEEPEST_INPUT)
    throw malformed(name, `it needs outputs of outputs more than ${DEEPEST_INPUT} levels deep`);
  if (!reader.skip("(")) return reader.list(() => reader.string());
  const wanted = reader.list(() => reader.string());
  reader.expect(",");
  reader.list(() => {
    reader.expect("(");
    const inner = [...through, reader.string()];
    reader.expect(",");
    add(inner, readWanted(reader, name, inner, add));
    reader.expect(")");
  });
  reader.expect(")");
  return wanted;
}

function checkOutput(output: DerivationOutput, name: string, storeDirectory: string): DerivationOutput {
  const kind = outputKind(output);
  if (kind === "input-addressed" || kind === "fixed") parseStorePath(output.path, storeDirectory);
  else if (output.path !== "") throw malformed(name, `a ${kind} output states the path "${output.path}"`);
  if (output.hashAlgorithm !== "") parseOutputAlgorithm(output.hashAlgorithm);
  if (kind === "fixed") fromBase16(output.hash);
  if (kind === "fixed" && output.hashAlgorithm === "")
    throw malformed(name, "an output has a hash without an algorithm");
  return output;
}

function malformed(name: string, found: string): CodedError {
  return new CodedError("derivation.malformed", `Cannot read the derivation "${name}": ${found}`);
}

/** A cursor over a term. */
class TermReader {
  readonly #text: string;
  readonly #name: string;
  #at = 0;
  /** Where the next backslash is, once it was looked for: looking anew for each string would be quadratic. */
  #backslash = -1;

  constructor(text: string, name: string) {
    this.#text = text;
    this.#name = name;
  }

  expect(token: string): void {
    if (!this.#text.startsWith(token, this.#at)) {
      const found = JSON.stringify(this.#text.slice(this.#at, this.#at + 20));
      throw malformed(this.#name, `found ${found} at character ${this.#at}, expected "${token}"`);
    }
    this.#at += token.length;
  }

  /** Go over a token if it is there. */
  skip(token: string): boolean {
    const isThere = this.#text.startsWith(token, this.#at);
    if (isThere) this.#at += token.length;
    return isThere;
  }

  /** A comma and a string. */
  next(): string {
    this.expect(",");
    return this.string();
  }

  string(): string {
    this.expect('"');
    const start = this.#at;
    const text = this.#text;
    const end = text.indexOf('"', start);
    if (this.#backslash < start) {
      const found = text.indexOf("\\", start);
      this.#backslash = found < 0 ? text.length : found;
    }
    if (end >= 0 && this.#backslash > end) {
      this.#at = end + 1;
      return text.slice(start, end);
    }
    let value = "";
    let run = start;
    for (let i = start; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit === 0x22) {
        this.#at = i + 1;
        return value + text.slice(run, i);
      }
      if (unit !== 0x5c || i + 1 >= text.length) continue;
      const escaped = text[i + 1] as string;
      value += text.slice(run, i) + (UNESCAPES[escaped] ?? escaped);
      run = i + 2;
      i++;
    }
    throw malformed(this.#name, `the string at character ${start} has no end`);
  }

  list<T>(item: () => T): T[] {
    this.expect("[");
    const items: T[] = [];
    if (this.#text[this.#at] !== "]") {
      items.push(item());
      while (this.#text[this.#at] === ",") {
        this.#at++;
        items.push(item());
      }
    }
    this.expect("]");
    return items;
  }
}
