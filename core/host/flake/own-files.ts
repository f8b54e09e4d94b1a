import { existsSync, readdirSync } from "node:fs";
import { TYPES_FOLDER } from "../types/types-folder.ts";

/**
 * What counts of a folder that git does not know: all of it but the types of its inputs, which say where this machine keeps them.
 *
 * @returns Entries relative to the folder, folders among them; `undefined` when everything counts.
 */
export function filesWithoutTypes(folder: string): string[] | undefined {
  if (!existsSync(`${folder}/${TYPES_FOLDER}`)) return undefined;
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => name !== TYPES_FOLDER && !name.startsWith(`${TYPES_FOLDER}/`),
  );
}
