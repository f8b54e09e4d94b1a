import type { SourceInput } from "../flake/index.ts";
import type { SourceRecord } from "./switch/index.ts";

/** What the lock says of the inputs of a flake. What lies in a folder has nothing that others could find it by. */
export function recordSources(inputs: Readonly<Record<string, SourceInput>>): SourceRecord {
  return Object.fromEntries(
    Object.keys(inputs).flatMap((name) => {
      const { type, url, rev, ref, narHash, lastModified } = inputs[name]?.sourceInfo ?? {};
      if (type === undefined || type === "path" || url === undefined) return [];
      const source = { type, url, rev, ref, narHash, lastModified };
      return [[name, Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined))]];
    }),
  ) as unknown as SourceRecord;
}
