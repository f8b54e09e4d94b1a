import { rmSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import {
  type FileReference,
  type FlakeReference,
  formatReference,
  type GitReference,
  type LockedFile,
  type LockedGit,
  type LockedSource,
  type LockedTarball,
  lockedStorePath,
  type TarballReference,
  withoutCredentials,
} from "../../flake/index.ts";
import type { StorePath } from "../../store/index.ts";
import { makeScratch } from "../files/index.ts";
import type { Access } from "../fetch/access.ts";
import { chooseBackend, fetchCommit, resolveRevision } from "../git/index.ts";
import type { Substituters } from "../substitute/index.ts";
import { type AddedSource, addFolder, addTree } from "./add-source.ts";
import { type PathBase, pathOf } from "./input-path.ts";
import type { SourceMemory } from "./source-memory.ts";
import type { SourceStore } from "./source-store.ts";
import { takeFromStores } from "./take-source.ts";

export interface FetchContext {
  readonly store: SourceStore;
  /** Who asks, for servers that want to know. Default: nobody says. */
  readonly access?: Access | undefined;
  /** Stores that may have a locked source already. They are opened when the first one is missing, and closed by who opened them. */
  readonly substituters?: (() => Promise<Substituters | undefined>) | undefined;
  /** What was fetched before on this machine. */
  readonly memory?: SourceMemory | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Fetch from this machine alone. Default false. */
  readonly offline?: boolean | undefined;
  /** Words for people about what is being fetched. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** For what has no relative path. */
const NOWHERE: PathBase = { folder: "/", name: "the command" };

export interface FetchedSource {
  readonly locked: LockedSource;
  readonly storePath: StorePath;
}

/**
 * Fetch what a reference means now into the store.
 *
 * @param known Sources locked before: a commit that is among them and in the store is not fetched again.
 * @throws {CodedError} `git.*`, `fetch.*`, `flake.path-missing`, `flake.path-outside`, `flake.nar-hash-mismatch`, `flake.offline`
 */
export async function fetchReference(
  reference: FlakeReference,
  base: PathBase,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  const fetched = await fetchNow(reference, base, known, context);
  const { narHash } = reference;
  if (narHash === undefined || narHash === fetched.locked.narHash) return fetched;
  throw new CodedError(
    "flake.nar-hash-mismatch",
    `Cannot use "${withoutCredentials(formatReference(reference))}": its content is not what the reference says`,
    { details: [`declared: ${narHash}`, `found:    ${fetched.locked.narHash}`] },
  );
}

async function fetchNow(
  reference: FlakeReference,
  base: PathBase,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  switch (reference.kind) {
    case "path": {
      const dir = reference.dir === undefined ? {} : { dir: reference.dir };
      const { storePath, narHash, lastModified } = await addFolder(pathOf(reference.path, base), context.store);
      return { storePath, locked: { type: "path", path: reference.path, ...dir, narHash, lastModified } };
    }
    case "git":
      return fetchRevision(reference, known, context);
    case "tarball":
      return fetchArchive(reference, known, context);
    case "file":
      return fetchSingle(reference, known, context);
  }
}

async function fetchRevision(
  reference: GitReference,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  const { url, submodules, lfs, dir, narHash: declared, lastModified: time } = reference;
  const backend = await chooseBackend(url, context.access);
  const shown = withoutCredentials(formatReference(reference));
  if (reference.rev === undefined) checkMayFetch(url, shown, context);
  const { rev, ref } = await resolveRevision(reference, backend, context.signal);
  const pinned = {
    type: "git" as const,
    url,
    rev,
    ...(ref === undefined ? {} : { ref }),
    ...(submodules === undefined ? {} : { submodules }),
    ...(lfs === undefined ? {} : { lfs }),
    ...(dir === undefined ? {} : { dir }),
  };
  if (declared !== undefined && time !== undefined && reference.rev !== undefined) {
    // The reference says all there is to know.
    const locked = { ...pinned, narHash: declared, lastModified: time };
    return { locked, storePath: await fetchLocked(locked, shown, NOWHERE, context) };
  }
  const earlier = [...known, ...(context.memory?.find(pinned) ?? [])].find(
    (locked) =>
      locked.type === "git" &&
      locked.url === url &&
      locked.rev === rev &&
      locked.submodules === submodules &&
      locked.lfs === lfs,
  );
  if (earlier !== undefined) {
    const storePath = lockedStorePath(earlier);
    context.store.addTempRoot(storePath);
    const { narHash, lastModified } = earlier;
    if (context.store.isValid(storePath)) return { storePath, locked: { ...pinned, narHash, lastModified } };
  }
  checkMayFetch(url, shown, context);
  context.onNotice?.(`Fetching ${shown} at ${rev.slice(0, 7)}`);
  const { storePath, narHash, lastModified } = await addCommit(pinned, context).catch((error: unknown) => {
    throw reference.rev === undefined ? error : withoutUpdate(error);
  });
  const locked = { ...pinned, narHash, lastModified };
  context.memory?.keep(locked);
  return { storePath, locked };
}

async function fetchArchive(
  reference: TarballReference,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  const { dir, url } = reference;
  const at = dir === undefined ? {} : { dir };
  const shown = withoutCredentials(formatReference(reference));
  if (reference.narHash !== undefined && reference.lastModified !== undefined) {
    // The reference says all there is to know.
    const { narHash, lastModified, rev } = reference;
    const locked = {
      type: "tarball",
      url,
      ...(rev === undefined ? {} : { rev }),
      ...at,
      narHash,
      lastModified,
    } as const;
    return { locked, storePath: await fetchLocked(locked, shown, NOWHERE, context) };
  }
  checkMayFetch(url, shown, context);
  context.onNotice?.(`Fetching ${shown}`);
  const { fetchTarball } = await import("./fetch-tarball.ts");
  const found = await fetchTarball(reference, context);
  const { storePath, narHash } = found;
  const rev = found.rev ?? reference.rev;
  const same = known.find(
    (locked) => locked.type === "tarball" && locked.url === found.url && locked.narHash === narHash,
  );
  const locked: LockedTarball = {
    type: "tarball",
    url: found.url,
    ...(rev === undefined ? {} : { rev }),
    ...at,
    narHash,
    lastModified: same?.lastModified ?? reference.lastModified ?? found.lastModified,
  };
  return { storePath, locked };
}

async function fetchSingle(
  { url, narHash: declared, lastModified: time }: FileReference,
  known: readonly LockedSource[],
  context: FetchContext,
): Promise<FetchedSource> {
  const shown = withoutCredentials(`file+${url}`);
  if (declared !== undefined && time !== undefined) {
    // The reference says all there is to know.
    const locked: LockedFile = { type: "file", url, narHash: declared, lastModified: time };
    return { locked, storePath: await fetchLocked(locked, shown, NOWHERE, context) };
  }
  checkMayFetch(url, shown, context);
  context.onNotice?.(`Fetching ${shown}`);
  const { fetchFile } = await import("./fetch-file.ts");
  const { storePath, narHash, lastModified } = await fetchFile(url, context);
  const same = known.find((locked) => locked.type === "file" && locked.url === url && locked.narHash === narHash);
  return {
    storePath,
    locked: { type: "file", url, narHash, lastModified: same?.lastModified ?? time ?? lastModified },
  };
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
  const { narHash } = await refetch(locked, name, base, context, expected);
  if (narHash === locked.narHash) return expected;
  throw mismatch(name, locked, narHash);
}

async function refetch(
  locked: LockedSource,
  name: string,
  base: PathBase,
  context: FetchContext,
  expected: StorePath,
): Promise<{ narHash: string }> {
  if (await takeFromStores(expected, locked.narHash, context)) return locked;
  const say = (url: string, what: string): void => {
    checkMayFetch(url, what, context);
    context.onNotice?.(`Fetching the input ${name}: ${what}`);
  };
  switch (locked.type) {
    case "path":
      return addFolder(pathOf(locked.path, base), context.store);
    case "tarball":
      say(locked.url, withoutCredentials(locked.url));
      // What unpacks archives takes longer to load than a folder to be looked up.
      return (await import("./fetch-tarball.ts")).fetchTarball({ kind: "tarball", url: locked.url }, context);
    case "file":
      say(locked.url, withoutCredentials(locked.url));
      return (await import("./fetch-file.ts")).fetchFile(locked.url, context);
    case "git":
      say(locked.url, `${withoutCredentials(locked.url)} at ${locked.rev}`);
      return addCommit(locked, context);
  }
}

/** @throws {CodedError} `flake.offline` */
function checkMayFetch(url: string, what: string, { offline = false }: FetchContext): void {
  if (!offline || url.startsWith("file:")) return;
  throw new CodedError("flake.offline", `Cannot fetch ${what}: nothing may be downloaded (--offline)`, {
    hint: "Leave --offline away, or run `floe flake lock` beforehand: what is locked and in the store needs no network.",
  });
}

function mismatch(name: string, locked: LockedSource, narHash: string): CodedError {
  return new CodedError(
    "flake.nar-hash-mismatch",
    `Cannot use the input "${name}" (${placeOf(locked)}): its content is not what was locked`,
    {
      details: [`locked: ${locked.narHash}`, `found:  ${narHash}`],
      hint: `${REASONS[locked.type]}: floe flake update ${name}`,
    },
  );
}

const REASONS: Readonly<Record<LockedSource["type"], string>> = {
  path: "If the folder was changed on purpose, run",
  git: "A commit never changes, so the lock or the server is wrong; when you trust the server, run",
  file: "Its server has another file there now; when you trust it, run",
  tarball: "Its server has another archive there now; when you trust it, run",
};

function placeOf(locked: LockedSource): string {
  if (locked.type === "path") return locked.path;
  const url = withoutCredentials(locked.url);
  return locked.type === "git" ? `${url} at ${locked.rev}` : url;
}

/** A revision that a reference names is what an update would ask for again. */
function withoutUpdate(error: unknown): unknown {
  if (!(error instanceof CodedError) || error.code !== "git.rev-missing") return error;
  const { code, message, details, cause } = error;
  const hint = "Correct the revision behind ?rev=, or leave it out for the newest one.";
  return new CodedError(code, message, { hint, details, cause });
}

async function addCommit(
  { url, rev, ref, submodules, lfs }: Pick<LockedGit, "url" | "rev" | "ref" | "submodules" | "lfs">,
  context: FetchContext,
): Promise<AddedSource> {
  const folder = makeScratch("source");
  const { access, signal } = context;
  try {
    const destination = `${folder}/source`;
    const { lastModified } = await fetchCommit({ url, rev, ref, destination, signal }, { access, submodules, lfs });
    return { ...(await addTree(destination, undefined, context.store)), lastModified };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
