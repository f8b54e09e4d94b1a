import { rmSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { type GitReference, withoutCredentials } from "../../flake/index.ts";
import { makeScratch } from "../files/index.ts";
import type { Access } from "../fetch/access.ts";
import { chooseBackend } from "./choose-backend.ts";
import { loginFor } from "./clone-repository.ts";
import { unreachable } from "./errors.ts";
import type { GitLimits } from "./backend.ts";
import { runGit } from "./program-backend.ts";
import { resolveRevision } from "./resolve-revision.ts";
import { whileGrowing } from "./while-growing.ts";

export interface RevisionAtOptions {
  /** Seconds since 1970. */
  readonly seconds: number;
  readonly access: Access;
  readonly signal?: AbortSignal | undefined;
  /** Of the commits that are fetched. */
  readonly limits?: Pick<GitLimits, "commitBytes" | "stallMs"> | undefined;
}

/**
 * What a reference meant at a time: the last commit of its branch by then, along first parents, or the newest version whose
 * commit was there. Dates are those that commits say of themselves.
 *
 * Only commits are fetched, where the server can leave out the rest.
 *
 * @returns `undefined` for a reference that never moves: a revision or a tag.
 * @throws {CodedError} `git.too-young`, `git.no-version`, `git.ref-missing`, `git.unreachable`, `git.too-large` …
 */
export async function revisionAt(reference: GitReference, options: RevisionAtOptions): Promise<string | undefined> {
  const { url, rev, semver } = reference;
  const { seconds, access, signal, limits } = options;
  if (rev !== undefined) return undefined;
  const { ref = "HEAD" } = await resolveRevision(reference, await chooseBackend(url, access), signal);
  if (semver === undefined && ref.startsWith("refs/tags/")) return undefined;
  const folder = makeScratch("git");
  const inside = { cwd: folder, signal, env: loginFor(url, access) };
  const git = (...args: string[]): Promise<string> => runGit(args, inside);
  try {
    await git("init", "--quiet", "--bare", ".");
    const what = semver === undefined ? [ref] : ["+refs/tags/*:refs/tags/*"];
    const fetch = ["fetch", "--progress", "--no-tags", "--filter=tree:0", "--", url, ...what];
    await whileGrowing({ folder: `${folder}/objects`, url, limits, signal }, (run) =>
      runGit(fetch, { ...inside, ...run }),
    ).catch((cause: unknown) => {
      signal?.throwIfAborted();
      throw cause instanceof CodedError ? cause : unreachable(url, cause);
    });
    if (semver !== undefined) {
      const refs = await tagsAt(git, seconds);
      return (await resolveRevision(reference, { listRefs: async () => ({ refs }) }, signal)).rev;
    }
    // Not `--before`, which takes small numbers for days and hours.
    const found = (await git("rev-list", "-1", "--first-parent", `--min-age=${seconds}`, "FETCH_HEAD")).trim();
    if (found !== "") return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  throw new CodedError(
    "git.too-young",
    `Cannot find what "${withoutCredentials(url)}" was on ${new Date(seconds * 1000).toISOString()}: its first commit is younger`,
    { hint: "Name a later date." },
  );
}

type Git = (...args: string[]) => Promise<string>;

/** Tags of commits that were there at a time; an annotated tag is the commit it points to. */
async function tagsAt(git: Git, seconds: number): Promise<Map<string, string>> {
  const format = "%(refname) %(objectname) %(committerdate:unix) %(*objectname) %(*committerdate:unix)";
  const refs = new Map<string, string>();
  for (const line of (await git("for-each-ref", `--format=${format}`, "refs/tags")).split("\n")) {
    const [name = "", ...words] = line.split(" ").filter((word) => word !== "");
    const [, rev, time] = /([0-9a-f]{40}) ([0-9]+)$/.exec(words.join(" ")) ?? [];
    if (rev !== undefined && Number(time) <= seconds) refs.set(name, rev);
  }
  return refs;
}
