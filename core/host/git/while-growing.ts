import { lstatSync, readdirSync } from "node:fs";
import { downloadLimitBytes } from "../fetch/settings.ts";
import { type GitLimits, STALL_MS } from "./backend.ts";
import { silentServer, tooLarge } from "./errors.ts";

/** How often a repository that is being fetched is looked at. */
const LOOK_MS = 200;

export interface Growing {
  /** What git writes to; it need not be there yet. */
  readonly folder: string;
  readonly url: string;
  readonly limits?: Pick<GitLimits, "commitBytes" | "stallMs"> | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Let git fetch as long as its folder is small enough, and it grows or git says how far it is (`--progress`): git itself knows no limit
 * of either.
 *
 * @throws {CodedError} `git.too-large`, `git.unreachable`
 */
export async function whileGrowing<T>(
  { folder, url, limits = {}, signal }: Growing,
  run: (options: { readonly signal: AbortSignal; readonly onWords: () => void }) => Promise<T>,
): Promise<T> {
  const { commitBytes: limitBytes = downloadLimitBytes(), stallMs = STALL_MS } = limits;
  const stop = new AbortController();
  let [known, since] = [0, performance.now()];
  const look = (): void => {
    const size = sizeOf(folder);
    if (size !== known) [known, since] = [size, performance.now()];
    if (size > limitBytes) stop.abort(tooLarge(url, limitBytes));
    else if (performance.now() - since > stallMs) stop.abort(silentServer(url, stallMs));
  };
  const looking = setInterval(look, LOOK_MS);
  const onWords = (): void => {
    since = performance.now();
  };
  try {
    const done = await run({ signal: either(signal, stop.signal), onWords });
    look();
    stop.signal.throwIfAborted();
    return done;
  } catch (error) {
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(looking);
  }
}

/** Bytes of the files below a folder that something is at work in. */
function sizeOf(folder: string): number {
  let size = 0;
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    // git has not made the folder yet, or took one away meanwhile; the next look counts.
    return 0;
  }
  for (const name of names) {
    const found = lstatSync(`${folder}/${name}`, { throwIfNoEntry: false });
    if (found?.isFile() === true) size += found.size;
  }
  return size;
}

export function either(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return one === undefined ? other : AbortSignal.any([one, other]);
}
