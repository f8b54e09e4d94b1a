import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import { CodedError } from "../../base/index.ts";
import { type GitReference, withoutCredentials } from "../../flake/index.ts";
import type { Access } from "../fetch/access.ts";
import { makeScratchIn } from "../files/index.ts";
import { chooseBackend } from "./choose-backend.ts";
import { revisionMissing, unreachable } from "./errors.ts";
import type { GitLimits } from "./backend.ts";
import { runGit, type RunGitOptions } from "./program-backend.ts";
import { resolveRevision } from "./resolve-revision.ts";
import { whileGrowing } from "./while-growing.ts";

export interface CloneRepositoryOptions {
  readonly reference: GitReference;
  /** The new folder, absolute. It is there when the clone is whole, and not before. */
  readonly destination: string;
  /** Who asks, for web servers that want to know. */
  readonly access: Access;
  readonly signal?: AbortSignal | undefined;
  /** Of all that is fetched together: here a commit comes with its history. */
  readonly limits?: Pick<GitLimits, "commitBytes" | "stallMs"> | undefined;
}

/**
 * Clone a repository with its history, to work in. A branch is checked out as a branch; a commit, a tag and the newest version of
 * a range by themselves.
 *
 * @returns the commit that is checked out.
 * @throws {CodedError} `git.clone-in-the-way`, `git.ref-missing`, `git.no-version`, `git.program-missing`, `git.unreachable`,
 *   `git.too-large` …
 */
export async function cloneRepository(options: CloneRepositoryOptions): Promise<string> {
  const { reference, destination, access, signal, limits } = options;
  if (existsSync(destination)) {
    throw new CodedError("git.clone-in-the-way", `Cannot clone to "${destination}": it is there already`, {
      hint: "Name a new folder: floe flake clone FLAKE DIR",
    });
  }
  const { url } = reference;
  const { rev, ref } = await resolveRevision(reference, await chooseBackend(url, access), signal);
  mkdirSync(dirname(destination), { recursive: true });
  using scratch = makeScratchIn(dirname(destination));
  const folder = scratch.path;
  const env = loginFor(url, access);
  const git = (args: readonly string[], run: RunGitOptions = { signal }): Promise<string> =>
    runGit(args, { ...run, cwd: folder, env });
  const inside = (...args: string[]): Promise<string> => git(["-C", "clone", ...args]);
  const bounded = (...args: string[]): Promise<string> =>
    whileGrowing({ folder, url, limits, signal }, (run) => git(args, run));
  const orElse =
    (failure: (cause: unknown) => CodedError) =>
    (cause: unknown): never => {
      signal?.throwIfAborted();
      throw cause instanceof CodedError ? cause : failure(cause);
    };
  const noAnswer = orElse((cause) => unreachable(url, cause));
  await bounded("clone", "--progress", "--no-checkout", "--", url, "clone").catch(noAnswer);
  const branch = /^refs\/heads\/(.+)$/.exec(ref ?? "")?.[1];
  if (branch === undefined || reference.rev !== undefined) {
    // A commit that no branch has is not cloned with them.
    await inside("cat-file", "-e", `${rev}^{commit}`)
      .catch(() => bounded("-C", "clone", "fetch", "--progress", "origin", rev))
      .catch(orElse(() => revisionMissing(url, rev)));
    await inside("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", rev);
  } else await inside("checkout", "--quiet", "-B", branch, "--track", `refs/remotes/origin/${branch}`);
  if (reference.submodules === true) {
    // A repository from elsewhere names no folder of this machine.
    const ofFiles = `protocol.file.allow=${url.startsWith("file:") ? "always" : "never"}`;
    await bounded("-C", "clone", "-c", ofFiles, "submodule", "update", "--progress", "--init", "--recursive").catch(
      noAnswer,
    );
  }
  const head = await inside("rev-parse", "HEAD");
  renameSync(`${folder}/clone`, destination);
  return head.trim();
}

/** A login that Floe knows and git does not, by the environment: others can read the arguments of a program. */
export function loginFor(address: string, access: Access): Readonly<Record<string, string>> {
  if (!/^https?:/.test(address)) return {};
  const url = new URL(address);
  const known = url.password === "" ? access.known(url) : undefined;
  if (known === undefined) return {};
  const login = Buffer.from(`${known.username}:${known.password}`).toString("base64");
  // Settings that the user gives in this way count as well.
  const at = Number(process.env["GIT_CONFIG_COUNT"] ?? 0);
  return {
    GIT_CONFIG_COUNT: String(at + 1),
    [`GIT_CONFIG_KEY_${at}`]: `http.${withoutCredentials(url.origin)}/.extraHeader`,
    [`GIT_CONFIG_VALUE_${at}`]: `Authorization: Basic ${login}`,
  };
}
