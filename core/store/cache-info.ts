import { CodedError } from "../base/index.ts";

/** What a binary cache says of itself in `nix-cache-info`. */
export interface CacheInfo {
  /** The store directory its objects belong to; any when it does not say. */
  readonly storeDirectory?: string | undefined;
  /** Whether it likes to be asked for many paths at once. */
  readonly wantMassQuery: boolean;
  /** Caches with a lower number are asked first. 0 when the file does not say. */
  readonly priority: number;
}

/** MIME type of the file. */
export const CACHE_INFO_TYPE = "text/x-nix-cache-info";

/**
 * Read a `nix-cache-info` file. Lines without a colon and unknown keys are ignored.
 *
 * @throws {CodedError} `cache-info.malformed` when the priority is no number.
 */
export function parseCacheInfo(text: string): CacheInfo {
  const fields = new Map<string, string>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon >= 0) fields.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  const storeDirectory = fields.get("StoreDir");
  const priority = fields.get("Priority") ?? "0";
  if (!/^[+-]?\d{1,9}$/.test(priority)) {
    throw new CodedError(
      "cache-info.malformed",
      `Cannot read what the cache says of itself: found the Priority ${JSON.stringify(priority)}, expected a number`,
    );
  }
  return {
    ...(storeDirectory === undefined ? {} : { storeDirectory }),
    wantMassQuery: fields.get("WantMassQuery") === "1",
    priority: Number(priority),
  };
}

/** Write a `nix-cache-info` file. What readers assume anyway is left out, as Nix does. */
export function formatCacheInfo({ storeDirectory, wantMassQuery, priority }: CacheInfo): string {
  return [
    ...(storeDirectory === undefined ? [] : [`StoreDir: ${storeDirectory}\n`]),
    ...(wantMassQuery ? ["WantMassQuery: 1\n"] : []),
    ...(priority === 0 ? [] : [`Priority: ${priority}\n`]),
  ].join("");
}
