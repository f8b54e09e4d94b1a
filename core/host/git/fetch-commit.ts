import { lstatSync, readFileSync, rmdirSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { withoutCredentials } from "../../flake/index.ts";
import type { Access } from "../fetch/access.ts";
import type { FetchTreeOptions, Gitlink } from "./backend.ts";
import { chooseBackend } from "./choose-backend.ts";
import { parseGitmodules, resolveSubmodule } from "./gitmodules.ts";
import { putLargeFiles } from "./large-files.ts";

export interface FetchCommitOptions {
  readonly access?: Access | undefined;
  /** Put the submodules in their places, and theirs. Default: they are empty folders. */
  readonly submodules?: true | undefined;
  /** Put the contents of large files (Git LFS) in their places. Default: pointers stand there, as they are stored. */
  readonly lfs?: true | undefined;
}

/** Deeper than any repository nests others; one that has itself as a submodule ends here. */
const DEEPEST = 10;
const MOST_REPOSITORIES = 1000;

/**
 * Get the files of one commit.
 *
 * @returns Seconds since 1970 of the commit.
 * @throws {CodedError} `git.unreachable`, `git.rev-missing`, `git.unsafe-tree`, `git.submodule-address`,
 *   `git.submodule-unknown`, `git.submodules-without-end`, and those of {@link putLargeFiles}
 */
export async function fetchCommit(
  options: FetchTreeOptions,
  { access, submodules, lfs }: FetchCommitOptions = {},
): Promise<{ readonly lastModified: number }> {
  const backend = await chooseBackend(options.url, access);
  const { lastModified, gitlinks } = await backend.fetchTree(options);
  const filling = { access, options, lfs, budget: { left: MOST_REPOSITORIES } };
  if (lfs === true) await putLargeFiles({ ...options, access });
  if (submodules === true) await fillIn(filling, options, gitlinks, 1);
  return { lastModified };
}

interface Filling {
  readonly access: Access | undefined;
  readonly lfs: true | undefined;
  /** Of the outermost repository. */
  readonly options: FetchTreeOptions;
  readonly budget: { left: number };
}

async function fillIn(
  filling: Filling,
  { url, destination }: Pick<FetchTreeOptions, "url" | "destination">,
  gitlinks: readonly Gitlink[],
  depth: number,
): Promise<void> {
  if (gitlinks.length === 0) return;
  const { signal, url: outermost } = filling.options;
  filling.budget.left -= gitlinks.length;
  if (depth > DEEPEST || filling.budget.left < 0) {
    throw new CodedError(
      "git.submodules-without-end",
      `Cannot fetch the submodules of "${withoutCredentials(outermost)}": found more than ${DEEPEST} inside each other, or more than ${MOST_REPOSITORIES}`,
    );
  }
  const addresses = parseGitmodules(readModules(destination));
  for (const { path, rev } of gitlinks) {
    const said = addresses.get(path);
    if (said === undefined) {
      throw new CodedError(
        "git.submodule-unknown",
        `Cannot fetch the submodule "${path}" of "${withoutCredentials(url)}": its .gitmodules has no address for it`,
        { hint: "Leave out submodules=1, and the folder is empty." },
      );
    }
    const inner = { url: resolveSubmodule(said, path, url), rev, destination: `${destination}/${path}`, signal };
    const backend = await chooseBackend(inner.url, filling.access);
    rmdirSync(inner.destination);
    const fetched = await backend.fetchTree(inner).catch(async (error: unknown) => {
      if (!(error instanceof CodedError) || error.code !== "git.rev-missing") throw error;
      // A server that gives out only what a ref points to: most submodules are at a commit of the default branch.
      const { defaultBranch } = await backend.listRefs(inner.url, signal);
      if (defaultBranch === undefined) throw error;
      return backend.fetchTree({ ...inner, ref: defaultBranch });
    });
    if (filling.lfs === true) await putLargeFiles({ ...inner, access: filling.access });
    await fillIn(filling, inner, fetched.gitlinks, depth + 1);
  }
}

/** The file itself: a link could lead out of the tree. */
function readModules(folder: string): string {
  const place = `${folder}/.gitmodules`;
  return lstatSync(place, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(place, "utf8") : "";
}
