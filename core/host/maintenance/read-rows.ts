import { DatabaseSync } from "node:sqlite";
import { type PathInfo, type Realisation, type StorePath, tryParseStorePath } from "../../store/index.ts";
import { type InfoRow, pathInfoOf, readRealisations } from "../local-store/index.ts";

/** What could be read of a database. */
export interface ReadRows {
  /** Every page was read, all indexes agree and every value is one. */
  readonly whole: boolean;
  readonly infos: Map<StorePath, PathInfo>;
  readonly realisations: readonly Realisation[];
}

const COLUMNS = "id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca";
const ROW = `select ${COLUMNS} from ValidPaths where id = ?`;
const REFERENCES = "select path from Refs join ValidPaths on reference = id where referrer = ? order by path";

/**
 * Read the rows of a database that may be damaged: those that can be read, one by one.
 *
 * @param file A copy: opening it may write to it. It need not exist.
 * @param lastId Rows up to this id are tried, when the database does not know how many there are.
 */
export function readRows(file: string, lastId: number): ReadRows {
  const infos = new Map<StorePath, PathInfo>();
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(file);
    const open = connection;
    let whole = attempt(() => isWhole(open)) ?? false;
    const last = Math.max(lastId, attempt(() => lastIdOf(open)) ?? 0);
    const row = attempt(() => open.prepare(ROW));
    const references = attempt(() => open.prepare(REFERENCES));
    if (row === undefined || references === undefined) return { whole: false, infos, realisations: [] };
    for (let id = 1; id <= last; id++) {
      const found = attempt(() => row.get(id) as InfoRow | undefined);
      const path = found === undefined ? undefined : tryParseStorePath(String(found.path));
      if (found === undefined) continue;
      const paths = attempt(() => (references.all(id) as { path: StorePath }[]).map((each) => each.path));
      const info = attempt(() => (path === undefined ? undefined : pathInfoOf(path, found, paths ?? [])));
      if (info === undefined || paths === undefined) whole = false;
      if (info !== undefined) infos.set(info.path, info);
    }
    const realisations = attempt(() => readRealisations(open));
    return { whole: whole && realisations !== undefined, infos, realisations: realisations ?? [] };
  } finally {
    connection?.close();
  }
}

function isWhole(connection: DatabaseSync): boolean {
  const [first] = connection.prepare("pragma integrity_check(1)").all() as { integrity_check: string }[];
  return first?.integrity_check === "ok" && connection.prepare("select 1 from ValidPaths limit 1").all() !== undefined;
}

function lastIdOf(connection: DatabaseSync): number {
  const { last } = connection.prepare("select max(id) as last from ValidPaths").get() as { last: number | null };
  return last ?? 0;
}

/** `undefined` where the damage shows: SQLite's own errors, and values that are none. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && ("errcode" in error || error.name === "CodedError" || error instanceof TypeError))
      return undefined;
    throw error;
  }
}
