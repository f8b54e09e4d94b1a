import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Folder beside `flake.config.ts` with what `tsc` and editors need; part of no source. */
export const TYPES_FOLDER = ".floe";

/** Whether a flake wants its types kept up: it has them, or its own settings name them. */
export function wantsTypes(directory: string): boolean {
  if (existsSync(join(directory, TYPES_FOLDER))) return true;
  try {
    return readFileSync(join(directory, "tsconfig.json"), "utf8").includes(`./${TYPES_FOLDER}/tsconfig.json`);
  } catch {
    return false;
  }
}
