import { existsSync, readFileSync, statSync } from "node:fs";

/** The sources a bundle was made from, one to a line, seen from the folder above `dist`. */
export const INPUTS_NAME = "floe.inputs";

/**
 * Whether a bundle is older than a source it was made from. Only where people work on the sources: a checkout.
 *
 * @param bundle `<house>/dist/floe.cjs`, as old as the newest state of the sources it has.
 */
export function isStale(bundle: string): boolean {
  const dist = bundle.slice(0, bundle.lastIndexOf("/"));
  const house = dist.slice(0, dist.lastIndexOf("/"));
  if (!existsSync(`${house}/.git`)) return false;
  const inputs = `${dist}/${INPUTS_NAME}`;
  if (!existsSync(inputs)) return true;
  const { mtimeMs } = statSync(bundle);
  // A few hundred questions to the system, 2 ms; the program `find` takes 15.
  return readFileSync(inputs, "utf8")
    .trimEnd()
    .split("\n")
    .some((input) => (statSync(`${house}/${input}`, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > mtimeMs);
}
