import {
  CodedError,
  compareText,
  formatHash,
  fromBase64,
  isRecord,
  parseHash,
  parseJson,
  sortedText,
  toBase16,
  toBase64,
  utf8,
} from "../base/index.ts";
import type { SignatureScheme } from "./signature.ts";
import type { PublicKey, SecretKey } from "./signing-key.ts";
import { STORE_DIRECTORY, type StorePath, storePathBaseName, storePathFromBaseName } from "./store-path.ts";

/**
 * What an output became whose path is known only after its build.
 *
 * Shape of ids: `sha256:<base 16>!<output>`, of the masked hash modulo of the derivation as it was before resolution.
 */
export interface Realisation {
  readonly id: string;
  readonly outPath: StorePath;
  /** Realisations of inputs that the output refers to: what they became, by id. */
  readonly dependentRealisations: ReadonlyMap<string, StorePath>;
  /** `<key name>:<base64>`. */
  readonly signatures: readonly string[];
}

export function makeRealisationId(hashModulo: Uint8Array, output: string): string {
  return `sha256:${toBase16(hashModulo)}!${output}`;
}

/** The id of a text in its one form. @throws {CodedError} `realisation.malformed` */
export function parseRealisationId(text: string): string {
  const mark = text.indexOf("!");
  if (mark < 0 || mark === text.length - 1)
    throw malformed(`found the id "${text}", expected a hash, "!" and an output`);
  try {
    return formatHash(parseHash(text.slice(0, mark)), "typed-base16") + text.slice(mark);
  } catch (cause) {
    throw malformed(`found the id "${text}", whose hash cannot be read`, cause);
  }
}

/**
 * The text of a realisation: JSON without spaces, keys in byte order.
 *
 * Source: Nix 2.4 to 2.34. Later versions key them otherwise and take no notice of these.
 */
export function formatRealisation(realisation: Realisation): string {
  const signatures = sortedText(new Set(realisation.signatures));
  return `${realisationFingerprint(realisation).slice(0, -1)},"signatures":${JSON.stringify(signatures)}}`;
}

/** What a signature of a realisation says: its text without signatures. */
export function realisationFingerprint({ dependentRealisations, id, outPath }: Realisation): string {
  const dependents = [...dependentRealisations]
    .sort(([a], [b]) => compareText(a, b))
    .map(([dependent, path]) => `${JSON.stringify(dependent)}:${JSON.stringify(storePathBaseName(path))}`);
  return `{"dependentRealisations":{${dependents.join(",")}},"id":${JSON.stringify(id)},"outPath":${JSON.stringify(storePathBaseName(outPath))}}`;
}

/** The signature of a realisation, as `<key name>:<base64>`. */
export function signRealisation(
  realisation: Realisation,
  key: SecretKey,
  scheme: Pick<SignatureScheme, "sign">,
): string {
  return `${key.name}:${toBase64(scheme.sign(key, utf8(realisationFingerprint(realisation))))}`;
}

/** Names of the trusted keys that really signed a realisation. A signature that is none counts for nothing. */
export function realisationSigners(
  realisation: Realisation,
  trusted: Iterable<PublicKey>,
  scheme: Pick<SignatureScheme, "verify">,
): string[] {
  const message = utf8(realisationFingerprint(realisation));
  const signers = new Set<string>();
  for (const key of trusted) {
    for (const signature of realisation.signatures) {
      if (!signature.startsWith(`${key.name}:`)) continue;
      const bytes = tryBase64(signature.slice(key.name.length + 1));
      if (bytes?.length === 64 && scheme.verify(key, message, bytes)) signers.add(key.name);
    }
  }
  return sortedText(signers);
}

function tryBase64(text: string): Uint8Array | undefined {
  try {
    return fromBase64(text);
  } catch {
    return undefined;
  }
}

/**
 * Read the text of a realisation. Order and spaces are free, unknown keys are ignored.
 *
 * @throws {CodedError} `realisation.malformed`
 */
export function parseRealisation(text: string, storeDirectory: string = STORE_DIRECTORY): Realisation {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw malformed((cause as Error).message.replace("Cannot read the JSON: ", ""), cause);
  }
  const { id, outPath, signatures = [], dependentRealisations = {} } = fields(value, "it");
  if (!Array.isArray(signatures)) throw malformed('"signatures" is no list');
  const path = (baseName: unknown, what: string): StorePath => {
    try {
      return storePathFromBaseName(textOf(baseName, what), storeDirectory);
    } catch (cause) {
      throw malformed(`${what} is no name of a store object`, cause);
    }
  };
  const dependents = Object.entries(fields(dependentRealisations, '"dependentRealisations"'));
  return {
    id: parseRealisationId(textOf(id, '"id"')),
    outPath: path(outPath, '"outPath"'),
    dependentRealisations: new Map(
      dependents
        .map(([dependent, name]): [string, StorePath] => [parseRealisationId(dependent), path(name, `"${dependent}"`)])
        .sort(([a], [b]) => compareText(a, b)),
    ),
    signatures: sortedText(new Set(signatures.map((signature) => textOf(signature, "a signature")))),
  };
}

/** Where a binary cache keeps a realisation, from its root. */
export function realisationFile(id: string): string {
  return `realisations/${id}.doi`;
}

/**
 * Which realisations of inputs an output depends on: those it refers to, among the inputs' own and what these depend on.
 *
 * @param inputs Realisations of the outputs the derivation (before resolution) asked for.
 * @param references Direct references of the output.
 * @param find A realisation by id; what is unknown is passed over.
 *
 * Source: Nix, `drvOutputReferences`.
 */
export function dependentRealisations(
  inputs: Iterable<Realisation>,
  references: Iterable<StorePath>,
  find: (id: string) => Realisation | undefined,
): ReadonlyMap<string, StorePath> {
  const reachable = new Map<string, Realisation>();
  const waiting = [...inputs];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (reachable.has(next.id)) continue;
    reachable.set(next.id, next);
    for (const id of next.dependentRealisations.keys()) {
      const found = find(id);
      if (found !== undefined) waiting.push(found);
    }
  }
  const referred = new Set(references);
  return new Map(
    [...reachable.values()]
      .filter(({ outPath }) => referred.has(outPath))
      .map(({ id, outPath }): [string, StorePath] => [id, outPath])
      .sort(([a], [b]) => compareText(a, b)),
  );
}

function fields(value: unknown, what: string): Record<string, unknown> {
  if (!isRecord(value)) throw malformed(`${what} is no object`);
  return value;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(`${what} is no text`);
  return value;
}

function malformed(found: string, cause?: unknown): CodedError {
  return new CodedError("realisation.malformed", `Cannot read the realisation: ${found}`, { cause });
}
