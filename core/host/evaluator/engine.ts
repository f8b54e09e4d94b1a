import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CodedError } from "../../base/index.ts";

let found: string | undefined;

/**
 * The folder of the running engine, with `core` in it: an evaluation loads the engine's floors from their source text, also
 * when the program itself runs from a bundle.
 *
 * @throws {CodedError} `evaluation.no-engine`
 */
export function findEngine(): string {
  if (found !== undefined) return found;
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "core/host/evaluator/child/main.ts"))) {
      found = folder;
      return folder;
    }
    if (folder === dirname(folder)) break;
  }
  throw new CodedError(
    "evaluation.no-engine",
    `Cannot evaluate: no folder above "${start}" holds the engine (core/host/evaluator)`,
    {
      hint: "Run floe from its complete tree.",
    },
  );
}

/** Folders of the engine that `#floe/…` may lead to, and one that a package is made from. */
export const ENGINE_FOLDERS: readonly string[] = ["core", "vm-tests", "modules", "pkgs", "tools"];
