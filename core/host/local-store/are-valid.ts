import { DatabaseSync } from "node:sqlite";

/**
 * Whether a store has all these objects, for who has no store open and wants to know no more.
 *
 * @param database The file of its database.
 * @returns `false` also where that cannot be told.
 */
export function areValid(database: string, paths: readonly string[]): boolean {
  if (paths.length === 0) return true;
  try {
    const connection = new DatabaseSync(database, { readOnly: true });
    try {
      const one = connection.prepare("select 1 from ValidPaths where path = ?");
      return paths.every((path) => one.get(path) !== undefined);
    } finally {
      connection.close();
    }
  } catch {
    return false;
  }
}
