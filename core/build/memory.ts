import { CodedError, tryParseSize } from "../base/index.ts";
import { type Derivation, parseNameAndVersion } from "../derivation/index.ts";
import { attributesOf } from "./structured-attributes.ts";

/**
 * Memory that a derivation says its builder needs, in bytes: `requiredMemory`, as `4G` or a number; `undefined` when it says nothing.
 *
 * @throws {CodedError} `build.bad-memory`, `build.attributes-malformed`
 */
export function declaredMemory(drv: Derivation): number | undefined {
  const attributes = attributesOf(drv);
  const stated = attributes === undefined ? drv.env["requiredMemory"] : attributes["requiredMemory"];
  if (stated === undefined || stated === null || stated === "") return undefined;
  const size = typeof stated === "string" || typeof stated === "number" ? tryParseSize(String(stated)) : undefined;
  if (size !== undefined) return size;
  throw new CodedError(
    "build.bad-memory",
    `Cannot build "${drv.name}": found the memory it needs as ${JSON.stringify(stated)}, expected a size such as "4G"`,
    { exitCode: 100 },
  );
}

/** What earlier builds needed at most, in bytes, by {@link memoryKey}; the one that was seen last comes last. */
export type MemoryRecord = ReadonlyMap<string, number>;

/** Names the builds that are alike: another version of a program needs about as much as the one before. */
export function memoryKey(drv: Derivation): string {
  return parseNameAndVersion(drv.name).name;
}

/** How many kinds of builds are remembered. */
const MOST_KEYS = 5000;
/** What needs less never decides what runs beside it. */
const LEAST_BYTES = 64 * 1024 * 1024;

/** The record with what a build needed this time. */
export function withPeak(record: MemoryRecord, key: string, peakBytes: number): MemoryRecord {
  const next = new Map(record);
  next.delete(key);
  if (peakBytes >= LEAST_BYTES) next.set(key, peakBytes);
  for (const oldest of next.keys()) {
    if (next.size <= MOST_KEYS) break;
    next.delete(oldest);
  }
  return next;
}

/** Read a record; text that is none gives an empty one, since it only helps to guess. */
export function parseMemoryRecord(text: string): MemoryRecord {
  try {
    const fields: unknown = JSON.parse(text);
    if (!Array.isArray(fields)) return new Map();
    return new Map(fields.filter(isEntry));
  } catch {
    return new Map();
  }
}

function isEntry(value: unknown): value is [string, number] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [key, bytes] = value as unknown[];
  return typeof key === "string" && typeof bytes === "number" && bytes >= 0 && Number.isFinite(bytes);
}

/** Shape: `[["linux", 2147483648], …]`, a list because keys of objects that look like numbers lose their order. */
export function formatMemoryRecord(record: MemoryRecord): string {
  return `${JSON.stringify([...record])}\n`;
}
