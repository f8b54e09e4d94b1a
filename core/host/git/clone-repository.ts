import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { CodedError } from "../../base/index.ts";
import { type GitReference, withoutCredentials } from "../../flake/index.ts";
import type { Access } from "../fetch/access.ts";
import { chooseBackend } from "./choose-backend.ts";
import { revisionMissing, unreachable } from "./errors.ts";
import { runGit } from "./program-backend.ts";
import { resolveRevision } from "./resolve-revision.ts";

export interface CloneRepositoryOptions {
  readonly reference: GitReference;
  /** The new folder, absolute. It is there when the clone is whole, and not before. */
  readonly destination: string;
  /** Who asks, for web servers that want to know. */
  readonly access: Access;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Clone a repository with its history, to work in. A branch is checked out as a branch; a commit, a tag and the newest version of
 * a range by themselves.
 *
 * @returns the commit that is checked out.
 * @throws {CodedError} `git.clone-in-the-way`, `git.ref-missing`, `git.no-version`, `git.program-missing`, `git.unreachable` …
 */
export async function cloneRepository(options: CloneRepositoryOptions): Promise<string> {
  const { reference, destination, access, signal } = options;
  if (existsSync(destination)) {
    throw new CodedError("git.clone-in-the-way", `Cannot clone to "${destination}": it is there already`, {
      hint: "Name a new folder: floe flake clone FLAKE DIR",
    });
  }
  const { url } = reference;
  const { rev, ref } = await resolveRevision(reference, await chooseBackend(url, access), signal);
  mkdirSync(dirname(destination), { recursive: true });
  const folder = mkdtempSync(`${dirname(destination)}/.${basename(destination)}.`);
  try {
    const env = loginFor(url, access);
    const git = (...args: string[]): Promise<string> => runGit(args, { signal, cwd: folder, env });
    await git("clone", "--quiet", "--no-checkout", "--", url, "clone").catch((cause: unknown) => {
      if (cause instanceof CodedError) throw cause;
      throw unreachable(url, cause);
    });
    const inside = (...args: string[]): Promise<string> => git("-C", "clone", ...args);
    const branch = /^refs\/heads\/(.+)$/.exec(ref ?? "")?.[1];
    if (branch === undefined || reference.rev !== undefined) {
      // A commit that no branch has is not cloned with them.
      await inside("cat-file", "-e", `${rev}^{commit}`)
        .catch(() => inside("fetch", "--quiet", "origin", rev))
        .catch(() => {
          throw revisionMissing(url, rev);
        });
      await inside("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", rev);
    } else await inside("checkout", "--quiet", "-B", branch, "--track", `refs/remotes/origin/${branch}`);
    if (reference.submodules === true) {
      // A repository from elsewhere names no folder of this machine.
      const ofFiles = `protocol.file.allow=${url.startsWith("file:") ? "always" : "never"}`;
      await inside("-c", ofFiles, "submodule", "--quiet", "update", "--init", "--recursive").catch((cause: unknown) => {
        throw cause instanceof CodedError ? cause : unreachable(url, cause);
      });
    }
    const head = await inside("rev-parse", "HEAD");
    renameSync(`${folder}/clone`, destination);
    return head.trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
