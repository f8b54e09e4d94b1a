import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CodedError } from "../../base/index.ts";
import { bundleFiles } from "./bundle-files.ts";

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

/** What the bundle is made from. */
const BUNDLED_FOLDERS = ["core", "tools/cli", "vm-tests/driver", "vm-tests/qemu-wrapper"];

let current: boolean | undefined;

/** Whether there is a bundle of this program, in `dist` of the engine, that no source is newer than. */
export function isBundleCurrent(): boolean {
  current ??= compareBundle(findEngine());
  return current;
}

/** Whether evaluations get the engine from its bundle: where that is not older than a source of it. */
export function hasEngineImage(): boolean {
  return isBundleCurrent() && existsSync(bundleFiles(findEngine()).image);
}

/** What tells one bundle from the next; `undefined` where evaluations get the engine from its sources. */
export function engineBundle(): string | undefined {
  if (!hasEngineImage()) return undefined;
  const { image, process: child, stripper, stripped } = bundleFiles(findEngine());
  const states = [image, child, stripper, stripped].map((file) => statSync(file, { throwIfNoEntry: false }));
  return states.map((state) => (state === undefined ? "" : `${state.size} ${state.ctimeMs} ${state.ino}`)).join(" ");
}

function compareBundle(engine: string): boolean {
  const bundle = join(engine, "dist/floe.cjs");
  if (!existsSync(bundle)) return false;
  const { mtimeMs } = statSync(bundle);
  // Who runs the bundle has looked.
  if (process.argv[1] === bundle) return true;
  return BUNDLED_FOLDERS.every((folder) =>
    readdirSync(join(engine, folder), { recursive: true, encoding: "utf8" }).every(
      (name) =>
        !name.endsWith(".ts") ||
        /\.(test|contract)\.ts$/.test(name) ||
        statSync(join(engine, folder, name)).mtimeMs <= mtimeMs,
    ),
  );
}
