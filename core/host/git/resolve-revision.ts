import semver from "semver";
import { CodedError, nearNames } from "../../base/index.ts";
import { type GitReference, withoutCredentials } from "../../flake/index.ts";
import type { GitBackend, RemoteRefs } from "./backend.ts";

/** What a reference means right now. */
export interface ResolvedRevision {
  readonly rev: string;
  /** Full name of the branch or tag. */
  readonly ref?: string;
}

/**
 * Find the commit a reference means: the given one, the newest tag of a range, the tip of a branch or tag, or of the default
 * branch.
 *
 * @throws {CodedError} `git.ref-missing`, `git.no-version`, and those of the backend.
 */
export async function resolveRevision(
  reference: GitReference,
  backend: Pick<GitBackend, "listRefs">,
  signal?: AbortSignal,
): Promise<ResolvedRevision> {
  const { url, ref, rev, semver: range } = reference;
  if (rev !== undefined) return { rev, ...(ref === undefined ? {} : { ref: fullName(ref) }) };
  const remote = await backend.listRefs(url, signal);
  if (range !== undefined) return newestTag(url, range, remote);
  if (ref === undefined) return defaultTip(url, remote);
  for (const name of ref.startsWith("refs/") ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`]) {
    const found = remote.refs.get(name);
    if (found !== undefined) return { rev: found, ref: name };
  }
  const near = nearNames(ref, shortNames(remote));
  throw new CodedError("git.ref-missing", `Cannot find the branch or tag "${ref}" in "${withoutCredentials(url)}"`, {
    hint:
      near[0] !== undefined
        ? `Did you mean "${near[0]}"?`
        : `Its branches are: ${branches(remote).join(", ") || "none"}${tagsNear(ref, remote)}.`,
  });
}

function fullName(ref: string): string {
  return ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
}

function defaultTip(url: string, { defaultBranch, refs }: RemoteRefs): ResolvedRevision {
  const rev = (defaultBranch === undefined ? undefined : refs.get(defaultBranch)) ?? refs.get("HEAD");
  if (rev === undefined)
    throw new CodedError(
      "git.ref-missing",
      `Cannot find the default branch of "${withoutCredentials(url)}": the repository is empty`,
    );
  return { rev, ...(defaultBranch === undefined ? {} : { ref: defaultBranch }) };
}

function newestTag(url: string, range: string, { refs }: RemoteRefs): ResolvedRevision {
  if (semver.validRange(range) === null) {
    throw new CodedError(
      "git.no-version",
      `Cannot look for a version of "${withoutCredentials(url)}": "${range}" is no range`,
      { hint: 'Write it as "^1.4", "~2.0.1" or ">=3 <4".' },
    );
  }
  const versions = [...refs].flatMap(([ref, rev]) => {
    // `v1.2.3`, `1.2.3` and `name-1.2.3` are how projects write their versions.
    const text = /^refs\/tags\/(?:.*?[-/])?v?(\d+\.\d+\.\d+.*)$/.exec(ref)?.[1];
    const version = text === undefined ? null : semver.parse(text);
    return version === null ? [] : [{ version, ref, rev }];
  });
  const fitting = versions
    .filter(({ version }) => semver.satisfies(version, range))
    .sort((a, b) => semver.rcompare(a.version, b.version) || (a.ref < b.ref ? -1 : 1));
  const [newest] = fitting;
  if (newest !== undefined) return { rev: newest.rev, ref: newest.ref };
  const known = versions.sort((a, b) => semver.rcompare(a.version, b.version)).slice(0, 5);
  throw new CodedError(
    "git.no-version",
    `Cannot find a version "${range}" of "${withoutCredentials(url)}": no tag fits`,
    {
      hint:
        known.length === 0
          ? "It has no tags that are versions."
          : `Its newest versions are ${known.map(({ version }) => version.version).join(", ")}.`,
    },
  );
}

function branches({ refs }: RemoteRefs): string[] {
  return [...refs.keys()]
    .filter((ref) => ref.startsWith("refs/heads/"))
    .map((ref) => ref.slice("refs/heads/".length))
    .slice(0, 10);
}

/** A few tags: those that have the name in them or are in it, then the newest by their numbers. */
function tagsNear(name: string, { refs }: RemoteRefs): string {
  const tags = [...refs.keys()].flatMap((ref) => /^refs\/tags\/(.*(?<!\^\{\}))$/.exec(ref)?.[1] ?? []);
  const wanted = name.replace(/^refs\/(?:heads|tags)\//, "").replace(/^v(?=\d)/, "");
  const isNear = (tag: string): boolean => tag.includes(wanted) || wanted.includes(tag.replace(/^v(?=\d)/, ""));
  const { compare } = new Intl.Collator("en", { numeric: true });
  const sorted = tags.sort((a, b) => Number(isNear(b)) - Number(isNear(a)) || compare(b, a));
  return sorted.length === 0
    ? ""
    : `; its tags: ${sorted.slice(0, 5).join(", ")}${sorted.length > 5 ? " and more" : ""}`;
}

function shortNames({ refs }: RemoteRefs): string[] {
  return [...refs.keys()].flatMap((ref) => /^refs\/(?:heads|tags)\/(.*)$/.exec(ref)?.[1] ?? []);
}
