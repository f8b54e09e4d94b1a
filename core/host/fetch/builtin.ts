import { rm } from "node:fs/promises";
import { CodedError, equalHashes, type Hash } from "../../base/index.ts";
import { hashMismatch } from "../../build/index.ts";
import { type Derivation, fixedOutputOf } from "../../derivation/index.ts";
import { type FetchSettings, hashedAddresses, resolveMirrors, type RetryPolicy, showUrl } from "../../fetch/index.ts";
import { download, type Downloaded, type DownloadOptions } from "./download.ts";
import { readFetchSettings, withPackageRegistry } from "./settings.ts";

/** What a built-in builder is given. */
export interface BuiltinOptions {
  readonly drv: Derivation;
  /** Where the output has to appear on the host. */
  readonly output: string;
  /** A directory for temporary files, on the file system of `output`. */
  readonly scratch: string;
  readonly progress: (url: string, doneBytes: number, totalBytes: number | undefined) => void;
  readonly notice: (message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Run a builder that lives in this program: `builtin:fetchurl` or `builtin:fetch-deb-member`.
 *
 * `fetchurl` first asks the servers of the setting `hashedMirrors` for a flat output. Both read `url` or `urls` (separated by white space, `mirror://…` allowed) and `snapshotTimestamp` (for archives that keep
 * everything). `fetchurl` obeys `executable` and `unpack` as Nix does; `fetch-deb-member` takes the file `member` out of the package
 * and makes it the output, or puts it at `path` inside the output.
 *
 * @throws {CodedError} `build.unknown-builtin`, `fetch.not-fixed`, `fetch.no-url`, and the errors of fetching.
 */
export async function runBuiltin(options: BuiltinOptions): Promise<void> {
  const { drv } = options;
  if (drv.builder !== "builtin:fetchurl" && drv.builder !== "builtin:fetch-deb-member") {
    throw new CodedError(
      "build.unknown-builtin",
      `Cannot build "${drv.name}": there is no built-in builder "${drv.builder}"`,
      { exitCode: 100 },
    );
  }
  const fixed = fixedOutputOf(drv);
  if (fixed === undefined) {
    throw new CodedError("fetch.not-fixed", `Cannot fetch "${drv.name}": its derivation declares no output hash`, {
      exitCode: 100,
    });
  }
  const isMember = drv.builder === "builtin:fetch-deb-member";
  // The hash of what is fetched is declared only where it is that of one file's bytes.
  const whole = isMember || fixed.method === "recursive" || fixed.method === "git";
  const file = `${options.scratch}/.download`;
  const expected: Hash | undefined = whole ? undefined : { algorithm: fixed.algorithm, digest: fixed.digest };
  const place = { to: file, algorithm: fixed.algorithm, expected, progress: options.progress, signal: options.signal };
  const urls = await addressesOf(drv);
  const downloaded: Downloaded =
    (await fromHashedMirrors(place)) ?? (await download({ ...place, urls, notice: options.notice }));
  if (expected !== undefined && !equalHashes(downloaded.hash, expected)) {
    throw hashMismatch(drv.name, expected, downloaded.hash, [showUrl(downloaded.url)]);
  }
  if (isMember) {
    const { fetchDebMember } = await import("./deb-member.ts");
    await fetchDebMember({
      name: drv.name,
      file,
      member: drv.env["member"] ?? "",
      output: options.output,
      path: drv.env["path"],
    });
  } else {
    const { placeFetched } = await import("./place.ts");
    await placeFetched({
      file,
      output: options.output,
      executable: drv.env["executable"] === "1",
      unpack: drv.env["unpack"] === "1",
      compressed: downloaded.url.replace(/[?#].*$/, "").endsWith(".xz"),
    });
  }
  await rm(file, { force: true });
}

/** Each is asked once: they are a short cut, and one that is down must not hold up what the addresses give. */
const ONCE: RetryPolicy = { attempts: 1, baseDelayMs: 0, maxDelayMs: 0 };

/** A file whose own hash is known, from a server that has it by this hash; `undefined` when none has. */
async function fromHashedMirrors(place: Omit<DownloadOptions, "urls">): Promise<Downloaded | undefined> {
  const { expected } = place;
  if (expected === undefined) return undefined;
  const urls = hashedAddresses(expected, await settingsFor([]));
  if (urls.length === 0) return undefined;
  try {
    const found = await download({ ...place, urls, policy: ONCE });
    return equalHashes(found.hash, expected) ? found : undefined;
  } catch (error) {
    if (error instanceof CodedError && error.code === "fetch.unreachable") return undefined;
    throw error;
  }
}

async function addressesOf(drv: Derivation): Promise<string[]> {
  const stated = (drv.env["urls"] ?? "").split(/\s+/).concat((drv.env["url"] ?? "").split(/\s+/));
  const urls = [...new Set(stated.filter((url) => url !== ""))];
  if (urls.length === 0) {
    throw new CodedError(
      "fetch.no-url",
      `Cannot fetch "${drv.name}": its derivation names no address in "url" or "urls"`,
      { exitCode: 100 },
    );
  }
  const settings = await settingsFor(urls);
  const timestamp = drv.env["snapshotTimestamp"] || undefined;
  return urls.flatMap((url) => resolveMirrors(url, settings, { timestamp }));
}

let machineSettings: FetchSettings | undefined;
let withRegistry: Promise<FetchSettings> | undefined;

/** Read once in a process: a run fetches hundreds of files. */
async function settingsFor(urls: readonly string[]): Promise<FetchSettings> {
  machineSettings ??= readFetchSettings();
  if (!urls.some((url) => url.startsWith("mirror://npm/"))) return machineSettings;
  withRegistry ??= withPackageRegistry(machineSettings);
  return withRegistry;
}
