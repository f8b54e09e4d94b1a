import type { StorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";

const GIVEN = "(select value from json_each(?1))";
const GIVEN_IDS = `(select id from ValidPaths where path in ${GIVEN})`;
/** Given objects that others refer to, which are not given. */
const REFERRED = `select distinct v.path from ValidPaths v join Refs r on r.reference = v.id join ValidPaths f on f.id = r.referrer
  where v.path in ${GIVEN} and f.path not in ${GIVEN}`;
const DELETE_REFERENCES = `delete from Refs where referrer in ${GIVEN_IDS}`;
const DELETE_OBJECTS = `delete from ValidPaths where path in ${GIVEN}`;
const HAS_REALISATIONS = "select 1 from sqlite_master where type = 'table' and name = 'RealisationsRefs'";
/** Else a realisation that was made from another one would forbid to forget that. */
const DELETE_REALISATION_REFERENCES = `delete from RealisationsRefs where realisationReference in
  (select id from Realisations where outputPath in ${GIVEN_IDS})`;

/**
 * Make objects invalid, all in one transaction. Their files may go when it is flushed: after a power cut there must be no row
 * without its files.
 *
 * Objects that something else refers to, which may have been registered a moment ago, stay valid.
 *
 * @returns the objects that are not valid any more.
 */
export function invalidate(database: StoreDatabase, paths: readonly StorePath[]): StorePath[] {
  return database.transaction(() => {
    const left = new Set(paths);
    const given = (): string => JSON.stringify([...left]);
    for (;;) {
      const referred = database.prepare(REFERRED).all(given()) as { path: StorePath }[];
      if (referred.length === 0) break;
      for (const { path } of referred) left.delete(path);
    }
    database.prepare(DELETE_REFERENCES).run(given());
    if (database.prepare(HAS_REALISATIONS).get() !== undefined) {
      database.prepare(DELETE_REALISATION_REFERENCES).run(given());
    }
    database.prepare(DELETE_OBJECTS).run(given());
    for (const path of left) database.record({ kind: "invalid", path });
    return [...left];
  });
}
