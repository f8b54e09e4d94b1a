import { CodedError } from "../../base/index.ts";
import { runGit } from "./program-backend.ts";

/**
 * The commit that a word of git's (`HEAD~2`, a branch, a tag, a short digest) means in a checkout.
 *
 * @throws {CodedError} `git.unknown-revision`, `git.program-missing`
 */
export async function localRevision(root: string, word: string): Promise<string> {
  const asked = ["rev-parse", "--verify", "--end-of-options", `${word}^{commit}`];
  const found = await runGit(asked, { cwd: root }).catch((cause: unknown) => {
    if (cause instanceof CodedError) throw cause;
    throw new CodedError("git.unknown-revision", `Cannot find the revision "${word}" in "${root}": git knows none`, {
      hint: "Name a commit, a branch or a tag of this repository; a shallow clone has few of them.",
      cause,
    });
  });
  return found.trim();
}

/**
 * A file as a commit of a checkout has it.
 *
 * @param path Relative to the root.
 * @returns `undefined` when the commit has no such file.
 */
export async function fileAtRevision(root: string, rev: string, path: string): Promise<string | undefined> {
  return runGit(["show", `${rev}:${path}`], { cwd: root }).catch((error: unknown) => {
    if (error instanceof CodedError) throw error;
    return undefined;
  });
}
