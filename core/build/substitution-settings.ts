import { CodedError, isRecord } from "../base/index.ts";
import { parsePublicKey, type PublicKey } from "../store/index.ts";

/** Which other stores outputs may be taken from, and whom to believe. */
export interface SubstitutionSettings {
  /** Addresses of stores, as `openStoreUrl` takes them. Those that say a lower priority number are asked first. */
  readonly substituters: readonly string[];
  /** Stores that clients of a daemon may choose who are not trusted, besides the {@link substituters}. Default none. */
  readonly trustedSubstituters?: readonly string[] | undefined;
  /** Keys whose signatures count. */
  readonly trustedKeys: readonly PublicKey[];
  /** Whether an object that is not addressed by its content needs a signature by a trusted key. Default true. */
  readonly requireSignatures?: boolean | undefined;
}

export const EMPTY_SUBSTITUTION_SETTINGS: SubstitutionSettings = {
  substituters: [],
  trustedKeys: [],
};

/** Settings one after another: lists are joined without doubles; the first part that says whether signatures are needed decides. */
export function mergeSubstitutionSettings(parts: readonly SubstitutionSettings[]): SubstitutionSettings {
  const keys = new Map<string, PublicKey>();
  for (const { trustedKeys } of parts) {
    for (const key of trustedKeys) keys.set(`${key.name}:${key.bytes.join(",")}`, key);
  }
  const offered = parts.flatMap((part) => part.trustedSubstituters ?? []);
  return {
    substituters: [...new Set(parts.flatMap((part) => part.substituters))],
    trustedKeys: [...keys.values()],
    ...(offered.length === 0 ? {} : { trustedSubstituters: [...new Set(offered)] }),
    requireSignatures: parts.find((part) => part.requireSignatures !== undefined)?.requireSignatures,
  };
}

/**
 * Read the part of a settings file that is about other stores; other keys belong to others.
 *
 * Shape: `{ "substituters": ["https://cache.example"], "trustedSubstituters": […],
 * "trustedPublicKeys": ["name:base64"], "requireSignatures": true }`.
 * `undefined` when the file says nothing about it.
 *
 * @param from Name of the file, for errors.
 * @throws {CodedError} `substitution.settings-malformed`, `key.malformed`
 */
export function parseSubstitutionSettings(text: string, from: string): SubstitutionSettings | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw malformed(from, "it is not JSON", cause);
  }
  if (!isRecord(fields)) throw malformed(from, "expected an object");
  const stated = ["substituters", "trustedSubstituters", "trustedPublicKeys", "requireSignatures"].filter(
    (key) => key in fields,
  );
  if (stated.length === 0) return undefined;
  const { requireSignatures } = fields;
  if (requireSignatures !== undefined && typeof requireSignatures !== "boolean")
    throw malformed(from, `expected true or false for "requireSignatures"`);
  return {
    substituters: texts(fields, "substituters", from),
    trustedKeys: texts(fields, "trustedPublicKeys", from).map(parsePublicKey),
    ...("trustedSubstituters" in fields ? { trustedSubstituters: texts(fields, "trustedSubstituters", from) } : {}),
    requireSignatures,
  };
}

function texts(fields: Record<string, unknown>, key: string, from: string): string[] {
  const value = fields[key] ?? [];
  const list = typeof value === "string" ? [value] : value;
  if (Array.isArray(list) && list.every((each) => typeof each === "string" && each !== "")) return list as string[];
  throw malformed(from, `expected a list of texts for "${key}"`);
}

function malformed(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("substitution.settings-malformed", `Cannot read settings from "${from}": ${found}`, {
    hint: `The shape is { "substituters": ["https://cache.example"], "trustedPublicKeys": ["cache.example-1:…"] }.`,
    cause,
  });
}
