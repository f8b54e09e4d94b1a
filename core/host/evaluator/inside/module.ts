/** Stands for `node:module` in `core/flake/import-sync.ts`: a file that is loaded when it is first asked for. */
import { failure, loadLater, thrown } from "floe:host";
import { read } from "./source-host.ts";

/** @param from The place of the file that asks. */
export function createRequire(from: string): (specifier: string) => unknown {
  return (specifier) => {
    const exported = loadLater(from, specifier);
    if (exported !== undefined) return exported;
    const failed = failure();
    if (failed === "") throw thrown();
    return read(failed);
  };
}
