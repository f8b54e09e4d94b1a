import { type SourceInput, withoutCredentials } from "../flake/index.ts";
import type { SourceRecord } from "./switch/index.ts";

/**
 * What the lock says of the inputs of a flake. What lies in a folder has nothing that others could find it by.
 *
 * A system goes to machines where anybody may read it: passwords and tokens stay out. Without them the address still serves who has
 * a login of their own.
 */
export function recordSources(inputs: Readonly<Record<string, SourceInput>>): SourceRecord {
  return Object.fromEntries(
    Object.keys(inputs).flatMap((name) => {
      const { type, url, rev, ref, narHash, lastModified } = inputs[name]?.sourceInfo ?? {};
      if (type === undefined || type === "path" || url === undefined) return [];
      const source = { type, url: withoutCredentials(url).replace("://***@", "://"), rev, ref, narHash, lastModified };
      return [[name, Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined))]];
    }),
  ) as unknown as SourceRecord;
}
