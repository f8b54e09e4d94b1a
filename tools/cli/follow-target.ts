import { CodedError } from "../../core/base/index.ts";
import type { BuildTarget } from "../../core/build/index.ts";
import { isDerivationPath, type StorePath } from "../../core/store/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";

/**
 * A target by the derivation whose outputs are wanted, where that is the output of another one, which has to be built.
 *
 * @throws {CodedError} `installable.not-built`, `installable.no-output`
 */
export function followTarget({ drvPath, outputs, through = [] }: BuildTarget, store: LocalStore): BuildTarget {
  let found: StorePath = drvPath;
  for (const name of through) found = follow(found, name, store);
  return { drvPath: found, outputs };
}

function follow(drvPath: StorePath, name: string, store: LocalStore): StorePath {
  const drv = store.readDerivation(drvPath);
  const names = Object.keys(drv.outputs);
  if (!names.includes(name))
    throw new CodedError(
      "installable.no-output",
      `Cannot read output "${name}" of "${drvPath}": found the outputs ${names.join(", ")}`,
    );
  const path = store.findOutput(drv, name);
  if (path !== undefined && store.isValid(path) && isDerivationPath(path)) return path;
  const isPlan = path === undefined || isDerivationPath(path);
  throw new CodedError(
    "installable.not-built",
    `Cannot read output "${name}" of "${drvPath}" as a derivation: ${isPlan ? "it was not built yet" : `"${path}" is none`}`,
    isPlan ? { hint: `Build it first: floe build '${drvPath}^${name}'` } : {},
  );
}
