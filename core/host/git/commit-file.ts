import { runGit } from "./program-backend.ts";

/**
 * Commit one file of a checkout as it is now, and nothing else that is staged or changed.
 *
 * @throws {CodedError} `git.program-missing`
 */
export async function commitFile(folder: string, file: string, message: string): Promise<void> {
  await runGit(["add", "--intent-to-add", "--", file], { cwd: folder });
  await runGit(["commit", "--quiet", "--message", message, "--", file], { cwd: folder });
}
