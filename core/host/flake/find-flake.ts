import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { CodedError } from "../../base/index.ts";
import { LOCK_FILE_NAME } from "../../flake/index.ts";
import { FLAKE_FILE_NAME, type FlakeLocation } from "../evaluator/index.ts";
import { findCheckoutRoot, readCheckout } from "../git/checkout.ts";
import { filesWithoutTypes } from "./own-files.ts";
import { readLock } from "./read-lock.ts";

/** A flake in a folder of this machine. */
export interface FoundFlake extends FlakeLocation {
  /** Files that count although git does not know them yet, relative to the source; without the lock, which Floe itself writes. */
  readonly untracked: readonly string[];
}

/**
 * Find the flake a folder belongs to: walk up to the folder with `flake.config.ts`, not past the top of a checkout.
 *
 * @param meanwhile Called while another program looks for the files that count.
 * @throws {CodedError} `flake.not-found`, `flake.lock-malformed`, `flake.lock-version`
 */
export async function findFlake(path: string, cwd: string, meanwhile?: () => void): Promise<FoundFlake> {
  const start = resolve(cwd, path);
  if (!existsSync(start) || !statSync(start).isDirectory()) {
    throw new CodedError(
      "flake.not-found",
      `Cannot find a flake in "${path}": ${existsSync(start) ? "it is no folder" : "there is no such folder"}`,
      { hint: `Name the folder of a ${FLAKE_FILE_NAME}: floe build /path/to/it#name` },
    );
  }
  const folder = realpathSync(start);
  const checkoutRoot = findCheckoutRoot(folder);
  const directory = walkUp(folder, checkoutRoot);
  if (directory === undefined) {
    throw new CodedError(
      "flake.not-found",
      `Cannot find a flake in "${path}": no ${FLAKE_FILE_NAME} there${checkoutRoot === folder ? "" : " or above"}`,
      {
        hint: `Go to the folder with ${FLAKE_FILE_NAME}, or name it: floe build /path/to/it#name`,
      },
    );
  }
  const lock = readLock(directory);
  if (checkoutRoot === undefined) {
    const files = filesWithoutTypes(directory);
    return { directory, sourceDirectory: directory, lock, untracked: [], ...(files === undefined ? {} : { files }) };
  }
  const listing = readCheckout(checkoutRoot);
  meanwhile?.();
  const { files, untracked } = await listing;
  const lockFile = relative(checkoutRoot, join(directory, LOCK_FILE_NAME));
  const told = untracked.filter((file) => file !== lockFile);
  return { directory, sourceDirectory: checkoutRoot, files, lock, untracked: told };
}

function walkUp(folder: string, checkoutRoot: string | undefined): string | undefined {
  const { dev } = statSync(folder);
  for (let at = folder; statSync(at).dev === dev; at = dirname(at)) {
    if (existsSync(join(at, FLAKE_FILE_NAME))) return at;
    if (at === checkoutRoot || at === dirname(at)) return undefined;
  }
  return undefined;
}

/** The one line that names untracked files; `undefined` when there are none. */
export function untrackedNotice(untracked: readonly string[]): string | undefined {
  if (untracked.length === 0) return undefined;
  const some = untracked.slice(0, 5).join(", ");
  const more = untracked.length > 5 ? ` and ${untracked.length - 5} more` : "";
  return `Files that git does not track yet count, too: ${some}${more}`;
}
