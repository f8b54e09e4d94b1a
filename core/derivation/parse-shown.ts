import { CodedError, isHashAlgorithm, isRecord, parseHash, sortedText, toBase16 } from "../base/index.ts";
import { isDerivationPath, parseStorePath, STORE_DIRECTORY, type StorePath } from "../store/index.ts";
import { type Derivation, type DerivationOutput, parseOutputAlgorithm } from "./derivation.ts";
import { DEEPEST_INPUT, type NestedInput, sortNested } from "./nested-inputs.ts";
import { formatStructuredAttrs, type StructuredValue } from "./structured-attrs.ts";

/** A derivation that was written as JSON. */
export interface ParsedShownDerivation {
  /** Where the JSON says it lies, where it says so. */
  readonly path?: StorePath | undefined;
  /** Paths of outputs that the JSON leaves out are empty. */
  readonly derivation: Derivation;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Read derivations from the JSON that `nix derivation show` prints, inverse of `showDerivation`.
 *
 * Shape: an object of derivations by path, as Nix 2.8 to 2.31 print it; the same below `derivations`, beside a `version`, with
 * `inputs` and paths without their directory, as later ones do; or one derivation alone that has a `name`.
 *
 * @throws {CodedError} `derivation.bad-json` with the place; `store-path.*`, `hash.*`, `derivation.hash-algorithm` for values that are none.
 */
export function parseShownDerivations(json: unknown): ParsedShownDerivation[] {
  const top = object(json, "the JSON");
  if (typeof top["name"] === "string" && "builder" in top) return [{ derivation: parseOne(top, top["name"], "") }];
  const all = "derivations" in top ? object(top["derivations"], "derivations") : top;
  return Object.entries(all).map(([key, value]) => {
    const path = storePath(key);
    if (!isDerivationPath(path))
      throw bad(`"${key}"`, "found a key that does not end in .drv", "the path of a derivation");
    const name = key.slice(key.lastIndexOf("/") + 1).slice(33, -".drv".length);
    return { path, derivation: parseOne(object(value, `"${key}"`), name, `"${key}".`) };
  });
}

function parseOne(fields: Fields, name: string, at: string): Derivation {
  if (fields["name"] !== undefined && fields["name"] !== name)
    throw bad(`${at}name`, `found ${JSON.stringify(fields["name"])}`, JSON.stringify(name));
  const nested = fields["inputs"] === undefined ? undefined : object(fields["inputs"], `${at}inputs`);
  const sources = nested === undefined ? fields["inputSrcs"] : nested["srcs"];
  const derivations = nested === undefined ? fields["inputDrvs"] : nested["drvs"];
  const nestedInputs: NestedInput[] = [];
  const inputDerivations = Object.entries(object(derivations, `${at}inputDrvs`)).map(
    ([path, wanted]): [StorePath, string[]] => {
      const drvPath = storePath(path);
      const add = (through: readonly string[], outputs: readonly string[]): void =>
        void nestedInputs.push({ drvPath, through, outputs });
      return [drvPath, parseWanted(wanted, `${at}inputDrvs."${path}"`, add)];
    },
  );
  const env = record(fields["env"] ?? {}, `${at}env`, text);
  const attributes = fields["structuredAttrs"];
  return {
    name,
    outputs: record(fields["outputs"], `${at}outputs`, parseOutput),
    inputSources: sortedText(new Set(list(sources, `${at}inputSrcs`, storePathAt))) as StorePath[],
    inputDerivations: new Map(inputDerivations),
    ...(nestedInputs.length === 0 ? {} : { nestedInputs: sortNested(nestedInputs) }),
    system: text(fields["system"], `${at}system`),
    builder: text(fields["builder"], `${at}builder`),
    args: list(fields["args"], `${at}args`, text),
    env:
      attributes === undefined || attributes === null
        ? env
        : { ...env, __json: formatStructuredAttrs(object(attributes, `${at}structuredAttrs`) as StructuredValue) },
  };
}

/**
 * Names of outputs: a list, or an object that has one as `outputs`, and as `dynamicOutputs` the same for outputs that are derivations.
 *
 * @param add Is given what is wanted of these.
 */
function parseWanted(
  value: unknown,
  at: string,
  add: (through: readonly string[], outputs: readonly string[]) => void,
  through: readonly string[] = [],
): string[] {
  if (Array.isArray(value)) return sortedText(new Set(list(value, at, text)));
  if (through.length > DEEPEST_INPUT)
    throw bad(at, `found more than ${DEEPEST_INPUT} outputs of outputs`, "fewer of them");
  const fields = object(value, at);
  const inner = `${at}.dynamicOutputs`;
  for (const [name, wanted] of Object.entries(object(fields["dynamicOutputs"] ?? {}, inner))) {
    const deeper = [...through, name];
    const outputs = parseWanted(wanted, `${inner}.${name}`, add, deeper);
    if (outputs.length > 0) add(deeper, outputs);
  }
  return sortedText(new Set(list(fields["outputs"], `${at}.outputs`, text)));
}

const METHODS: Readonly<Record<string, string>> = { nar: "r:", recursive: "r:", flat: "", git: "git:", text: "text:" };

function parseOutput(value: unknown, at: string): DerivationOutput {
  const fields = object(value, at);
  const path = fields["path"] === undefined ? "" : storePath(text(fields["path"], `${at}.path`));
  const method = fields["method"] === undefined ? undefined : METHODS[text(fields["method"], `${at}.method`)];
  if (fields["method"] !== undefined && method === undefined)
    throw bad(`${at}.method`, `found ${JSON.stringify(fields["method"])}`, '"nar", "flat", "git" or "text"');
  const stated = fields["hashAlgo"] === undefined ? undefined : text(fields["hashAlgo"], `${at}.hashAlgo`);
  const bare = stated?.replace(/^(?:r|git|text):/, "");
  if (bare !== undefined && !isHashAlgorithm(bare))
    throw bad(`${at}.hashAlgo`, `found ${JSON.stringify(stated)}`, "md5, sha1, sha256 or sha512");
  const hash = fields["hash"] === undefined ? undefined : parseHash(text(fields["hash"], `${at}.hash`), bare);
  const algorithm = hash?.algorithm ?? bare;
  if (method !== undefined && algorithm === undefined)
    throw bad(`${at}.hashAlgo`, "found nothing", "an algorithm for the method");
  const prefix = method ?? stated?.slice(0, stated.length - (bare as string).length) ?? "";
  if (algorithm !== undefined) parseOutputAlgorithm(prefix + algorithm);
  return {
    path,
    hashAlgorithm: algorithm === undefined ? "" : prefix + algorithm,
    hash: fields["impure"] === true ? "impure" : hash === undefined ? "" : toBase16(hash.digest),
  };
}

/** With its directory or without. */
function storePath(value: string): StorePath {
  return parseStorePath(value.includes("/") ? value : `${STORE_DIRECTORY}/${value}`);
}

function storePathAt(value: unknown, at: string): StorePath {
  return storePath(text(value, at));
}

function object(value: unknown, at: string): Fields {
  if (!isRecord(value)) throw bad(at, `found ${kind(value)}`, "an object");
  return value;
}

function text(value: unknown, at: string): string {
  if (typeof value !== "string") throw bad(at, `found ${kind(value)}`, "a text");
  return value;
}

function list<T>(value: unknown, at: string, item: (value: unknown, at: string) => T): T[] {
  if (!Array.isArray(value)) throw bad(at, `found ${kind(value)}`, "a list");
  return value.map((each, index) => item(each, `${at}[${index}]`));
}

function record<T>(value: unknown, at: string, item: (value: unknown, at: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(object(value, at)).map(([key, each]) => [key, item(each, `${at}.${key}`)]));
}

function kind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
}

function bad(at: string, found: string, expected: string): CodedError {
  return new CodedError(
    "derivation.bad-json",
    `Cannot read the derivation from JSON: at ${at} ${found}, expected ${expected}`,
    {
      hint: "`floe derivation show` prints the form that is read.",
    },
  );
}
