import { CodedError, isRecord, tryParseSize } from "../base/index.ts";
import { DEFAULT_GC_SETTINGS, type GcSettings } from "./plan-gc.ts";

/** What this machine's settings say about collecting. */
export interface CollectionSettings extends GcSettings {
  /** A build that finds less free on the store's disk starts a collection. Default: none does. */
  readonly minFreeBytes?: number | undefined;
  /** Such a collection ends when so much is free. Default: when all that is dead is deleted. */
  readonly maxFreeBytes?: number | undefined;
}

const SWITCHES = ["keepDerivations", "keepOutputs", "keepBuildInputs"] as const;

/**
 * Read the part of a settings file that is about collecting; other keys belong to others. What is not said is taken from `base`.
 *
 * Shape: `{ "keepDerivations": true, "keepOutputs": false, "keepBuildInputs": true, "minFree": "5G", "maxFree": "20G" }`.
 *
 * @param from Name of the file, for errors.
 * @throws {CodedError} `gc.settings-malformed`
 */
export function parseCollectionSettings(
  text: string,
  from: string,
  base: CollectionSettings = DEFAULT_GC_SETTINGS,
): CollectionSettings {
  let fields: Record<string, unknown>;
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) throw malformed(from, "expected an object");
    fields = value;
  } catch (error) {
    throw error instanceof CodedError ? error : malformed(from, "it is not JSON", error);
  }
  const settings = { ...base };
  for (const key of SWITCHES) {
    const value = fields[key];
    if (value === undefined) continue;
    if (typeof value !== "boolean") throw malformed(from, `expected true or false for "${key}"`);
    settings[key] = value;
  }
  return {
    ...settings,
    minFreeBytes: sizeOf(fields, "minFree", from) ?? base.minFreeBytes,
    maxFreeBytes: sizeOf(fields, "maxFree", from) ?? base.maxFreeBytes,
  };
}

function sizeOf(fields: Record<string, unknown>, key: string, from: string): number | undefined {
  const value = fields[key];
  if (value === undefined) return undefined;
  const size = typeof value === "number" || typeof value === "string" ? tryParseSize(String(value)) : undefined;
  if (size === undefined) throw malformed(from, `expected a size such as "5G" for "${key}"`);
  return size;
}

function malformed(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("gc.settings-malformed", `Cannot read settings from "${from}": ${found}`, {
    hint: `The shape is { "keepOutputs": true, "minFree": "5G", "maxFree": "20G" }.`,
    cause,
  });
}
