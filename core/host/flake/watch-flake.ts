import { existsSync, lstatSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { LOCK_FILE_NAME } from "../../flake/index.ts";
import { presentOrNot, type Watched } from "../answers/index.ts";
import type { FlakeLocation } from "../evaluator/index.ts";
import { findCheckoutRoot } from "../git/index.ts";
import { watchCheckout } from "../git/watch-checkout.ts";

/**
 * What has to be as it is for a folder to be the flake that was found, with the files that count, and for what was read of it to be
 * the same.
 *
 * @param start The folder that was named.
 * @param paths What was read.
 * @returns `undefined` where that cannot be told.
 */
export async function watchFlake(
  start: string,
  { directory, sourceDirectory }: FlakeLocation,
  paths: readonly string[],
): Promise<Watched | undefined> {
  // A link on the way may lead elsewhere next time.
  if (realpathSync(start) !== start) return undefined;
  const folders = new Set<string>();
  // In each of them a flake, a checkout, an ignore file or a link may appear.
  for (const path of [start, directory, sourceDirectory, ...paths].filter((path) => isIn(path, sourceDirectory))) {
    let folder = lstatSync(path).isDirectory() ? path : dirname(path);
    for (; isIn(folder, sourceDirectory) && !folders.has(folder); folder = dirname(folder)) folders.add(folder);
  }
  const lock = presentOrNot([`${directory}/${LOCK_FILE_NAME}`]);
  const all: Watched = { paths: [...paths, ...folders, ...lock.paths], absent: lock.absent };
  const root = findCheckoutRoot(directory);
  if (root !== undefined) {
    if (root !== sourceDirectory) return undefined;
    const checkout = await watchCheckout(root, folders);
    return checkout === undefined ? undefined : joined(all, checkout);
  }
  const above: string[] = [];
  for (let folder = dirname(sourceDirectory); ; folder = dirname(folder)) {
    above.push(`${folder === "/" ? "" : folder}/.git`);
    if (folder === dirname(folder)) break;
  }
  // Behind the border of a file system there may be one, which does not count.
  return joined(all, { paths: [], absent: above.filter((path) => !existsSync(path)) });
}

function joined(a: Watched, b: Watched): Watched {
  return { paths: [...a.paths, ...b.paths], absent: [...a.absent, ...b.absent] };
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
