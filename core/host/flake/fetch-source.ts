import { existsSync, lstatSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { CodedError, formatHash } from "../../base/index.ts";
import {
  formatReference,
  type FlakeReference,
  type LockedSource,
  lockedStorePath,
  withoutCredentials,
} from "../../flake/index.ts";
import type { StorePath } from "../../store/index.ts";
import { filterFromFiles } from "../files/index.ts";
import { chooseBackend, findCheckoutRoot, makeTemporaryFolder, readCheckout, resolveRevision } from "../git/index.ts";
import type { SourceStore } from "./source-store.ts";

export interface FetchContext {
  readonly store: SourceStore;
  readonly signal?: AbortSignal | undefined;
  /** Fetch from this machine alone. Default false. */
  readonly offline?: boolean | undefined;
  /** Words for people about what is being fetched. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Where relative paths of a declaration begin, and what they must not leave. */
export interface PathBase {
  /** Folder of the declaring flake on the host. */
  readonly folder: string;
  /** A dependency may only name folders of its own source; `undefined` for the flake itself. */
  readonly within?: string | undefined;
  /** Its name, for messages. */
  readonly name: string;
}

export interface FetchedSource {
  readonly locked: LockedSource;
  readonly storePath: StorePath;
}

/**
 * Fetch what a reference means now into the store.
 *
 * @param known Sources locked before: a commit that is among them and in the store is not fetched again.
 * @throws {CodedError} `git.*`, `flake.path-missing`, `flake.path-outside`, `flake.offline`
 */
export async function fetchReference(
  reference: FlakeReference,
  base: PathBase,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  const dir = reference.dir === undefined ? {} : { dir: reference.dir };
  if (reference.kind === "path") {
    const folder = pathOf(reference.path, base);
    const { storePath, narHash, lastModified } = await addFolder(folder, context);
    return { storePath, locked: { type: "path", path: reference.path, ...dir, narHash, lastModified } };
  }
  const { url } = reference;
  checkMayFetch(url, withoutCredentials(formatReference(reference)), context);
  const backend = await chooseBackend(url);
  const { rev, ref } = await resolveRevision(reference, backend, context.signal);
  const pinned = { type: "git" as const, url, rev, ...(ref === undefined ? {} : { ref }), ...dir };
  for (const locked of known) {
    if (locked.type !== "git" || locked.url !== url || locked.rev !== rev) continue;
    const storePath = lockedStorePath(locked);
    if (context.store.isValid(storePath))
      return { storePath, locked: { ...pinned, narHash: locked.narHash, lastModified: locked.lastModified } };
  }
  context.onNotice?.(`Fetching ${withoutCredentials(formatReference(reference))} at ${rev.slice(0, 7)}`);
  const { storePath, narHash, lastModified } = await addCommit({ url, rev, ref }, context);
  return { storePath, locked: { ...pinned, narHash, lastModified } };
}

/**
 * Make a locked source valid in the store, if it is not yet, and check that it is what was locked.
 *
 * @throws {CodedError} `flake.nar-hash-mismatch`, and those of {@link fetchReference}
 */
export async function fetchLocked(
  locked: LockedSource,
  name: string,
  base: PathBase,
  context: FetchContext,
): Promise<StorePath> {
  const expected = lockedStorePath(locked);
  context.store.addTempRoot(expected);
  if (context.store.isValid(expected)) return expected;
  let narHash: string;
  if (locked.type === "path") {
    ({ narHash } = await addFolder(pathOf(locked.path, base), context));
  } else {
    checkMayFetch(locked.url, `${withoutCredentials(locked.url)} at ${locked.rev}`, context);
    context.onNotice?.(`Fetching the input ${name}: ${withoutCredentials(locked.url)} at ${locked.rev.slice(0, 7)}`);
    ({ narHash } = await addCommit({ url: locked.url, rev: locked.rev, ref: locked.ref }, context));
  }
  if (narHash === locked.narHash) return expected;
  throw mismatch(name, locked, narHash);
}

/** @throws {CodedError} `flake.offline` */
function checkMayFetch(url: string, what: string, { offline = false }: FetchContext): void {
  if (!offline || url.startsWith("file:")) return;
  throw new CodedError("flake.offline", `Cannot fetch ${what}: nothing may be downloaded (--offline)`, {
    hint: "Leave --offline away, or run `floe flake lock` beforehand: what is locked and in the store needs no network.",
  });
}

function mismatch(name: string, locked: LockedSource, narHash: string): CodedError {
  const where = locked.type === "path" ? locked.path : `${withoutCredentials(locked.url)} at ${locked.rev}`;
  return new CodedError(
    "flake.nar-hash-mismatch",
    `Cannot use the input "${name}" (${where}): its content is not what was locked`,
    {
      details: [`locked: ${locked.narHash}`, `found:  ${narHash}`],
      hint:
        locked.type === "path"
          ? `If the folder was changed on purpose, run: floe flake update ${name}`
          : `A commit never changes, so the lock or the server is wrong; when you trust the server, run: floe flake update ${name}`,
    },
  );
}

interface Added {
  readonly storePath: StorePath;
  readonly narHash: string;
  readonly lastModified: number;
}

async function addCommit(
  commit: { url: string; rev: string; ref: string | undefined },
  context: FetchContext,
): Promise<Added> {
  const folder = makeTemporaryFolder("source");
  try {
    const backend = await chooseBackend(commit.url);
    const { lastModified } = await backend.fetchTree({
      ...commit,
      destination: `${folder}/source`,
      signal: context.signal,
    });
    return { ...(await addTree(`${folder}/source`, undefined, context)), lastModified };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder as it is now; in a checkout without what git ignores. */
async function addFolder(folder: string, context: FetchContext): Promise<Added> {
  const files = await countedFiles(folder);
  const added = await addTree(folder, files, context);
  return { ...added, lastModified: newest(folder, files) };
}

async function addTree(
  from: string,
  files: readonly string[] | undefined,
  { store }: FetchContext,
): Promise<Omit<Added, "lastModified">> {
  const filter = files === undefined ? undefined : filterFromFiles(withFolders(files));
  const storePath = await store.addTree({ name: "source", from, filter });
  const info = store.queryPathInfo(storePath);
  if (info === undefined)
    throw new CodedError(
      "flake.source-vanished",
      `Cannot use the source "${storePath}": it was removed from the store while it was added`,
    );
  return { storePath, narHash: formatHash(info.narHash, "sri") };
}

/** Files of a folder that git counts, relative to the folder; `undefined` outside of checkouts. */
export async function countedFiles(folder: string): Promise<string[] | undefined> {
  const root = findCheckoutRoot(folder);
  if (root === undefined) return undefined;
  const { files } = await readCheckout(root);
  if (folder === root) return [...files];
  const prefix = `${folder.slice(root.length + 1)}/`;
  return files.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
}

export function withFolders(files: readonly string[]): string[] {
  const all = new Set(files);
  for (const file of files)
    for (let slash = file.lastIndexOf("/"); slash > 0; slash = file.lastIndexOf("/", slash - 1))
      all.add(file.slice(0, slash));
  return [...all];
}

/** Seconds since 1970 of the newest file. */
function newest(folder: string, files: readonly string[] | undefined): number {
  let latest = 0;
  const look = (path: string): void => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) latest = Math.max(latest, Math.floor(stat.mtimeMs / 1000));
    else if (files === undefined) for (const name of readdirSync(path)) look(`${path}/${name}`);
  };
  if (files === undefined) look(folder);
  else for (const file of files) look(`${folder}/${file}`);
  return latest;
}

export function pathOf(path: string, { folder, within, name }: PathBase): string {
  const absolute = resolve(folder, path);
  if (within !== undefined && (path.startsWith("/") || !inside(absolute, within))) throw outside(path, name);
  if (!existsSync(absolute)) {
    throw new CodedError(
      "flake.path-missing",
      `Cannot find the folder "${path}" that ${name} takes as an input: there is no "${absolute}"`,
    );
  }
  const real = realpathSync(absolute);
  if (within !== undefined && !inside(real, realpathSync(within))) throw outside(path, name);
  return real;
}

function inside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function outside(path: string, name: string): CodedError {
  return new CodedError(
    "flake.path-outside",
    `Cannot take the folder "${path}" as an input of ${name}: it lies outside of its source`,
  );
}
