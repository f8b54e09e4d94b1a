import { notValid, type StorePath, withSignatures } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";
import type { StoreQueryTable } from "./queries.ts";

const UPDATE = "update ValidPaths set sigs = ? where path = ?";

/**
 * Add signatures to valid objects, all in one transaction. Those that are there already change nothing.
 *
 * @returns How many signatures are new.
 * @throws {CodedError} `store.not-valid`
 */
export function addSignatures(
  { database, queries }: { readonly database: StoreDatabase; readonly queries: StoreQueryTable },
  added: ReadonlyMap<StorePath, readonly string[]>,
): number {
  return database.transaction(() => {
    let count = 0;
    for (const [path, signatures] of added) {
      const info = queries.pathInfo(path);
      if (info === undefined) throw notValid(path);
      const signed = withSignatures(info, signatures);
      const fresh = signed.signatures.length - info.signatures.length;
      if (fresh === 0) continue;
      database.prepare(UPDATE).run(signed.signatures.join(" "), path);
      database.record({ kind: "valid", info: signed });
      count += fresh;
    }
    return count;
  });
}
