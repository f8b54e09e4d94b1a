import { execFile } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { findProgram } from "../process/find-program.ts";
import { downloadLimitBytes } from "../fetch/settings.ts";
import {
  type FetchTreeOptions,
  type GitBackend,
  type GitLimits,
  LONGEST_REFS_BYTES,
  type RemoteRefs,
} from "./backend.ts";
import { revisionMissing, tooLarge, unreachable } from "./errors.ts";
import { makeTemporaryFolder } from "./temporary.ts";

/** Settings of every call: ask nobody, run no foreign command, change no byte of a file. */
const SETTINGS = [
  "core.autocrlf=false",
  "core.symlinks=true",
  "core.fsmonitor=false",
  "protocol.ext.allow=never",
  "protocol.file.allow=always",
  "safe.directory=*",
].flatMap((setting) => ["-c", setting]);
/** Takes precedence over the attributes in the tree. */
const PLAIN_ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding -export-ignore -export-subst\n";

/** How often a repository that is being fetched is looked at. */
const LOOK_MS = 200;

/** Repositories by way of the `git` program: ssh with the user's keys, and `file://`. */
export function makeProgramBackend({ refsBytes = LONGEST_REFS_BYTES, commitBytes }: GitLimits = {}): GitBackend {
  return {
    listRefs: (url, signal) => listRefs(url, refsBytes, signal),
    fetchTree: (options) => fetchTree(options, commitBytes ?? downloadLimitBytes()),
  };
}

async function listRefs(url: string, limitBytes: number, signal: AbortSignal | undefined): Promise<RemoteRefs> {
  const args = ["ls-remote", "--symref", "--", url];
  const listing = await runGit(args, { signal, limitBytes }).catch((error: unknown) => {
    const isTooLong = (error as NodeJS.ErrnoException).code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER";
    throw isTooLong ? tooLarge(url, limitBytes) : explain(error, url);
  });
  const refs = new Map<string, string>();
  let defaultBranch: string | undefined;
  for (const line of listing.split("\n")) {
    const symbolic = /^ref: (\S+)\tHEAD$/.exec(line)?.[1];
    if (symbolic !== undefined) defaultBranch = symbolic;
    const [oid, ref] = line.split("\t");
    // "tag^{}" comes after "tag" and is the commit an annotated tag points to.
    if (oid !== undefined && ref !== undefined && /^[0-9a-f]{40}$/.test(oid)) refs.set(ref.replace(/\^\{\}$/, ""), oid);
  }
  return { ...(defaultBranch === undefined ? {} : { defaultBranch }), refs };
}

async function fetchTree(
  { url, rev, ref, destination, signal }: FetchTreeOptions,
  limitBytes: number,
): ReturnType<GitBackend["fetchTree"]> {
  const gitdir = makeTemporaryFolder("git");
  const inside = ["--git-dir", gitdir];
  try {
    await runGit(["init", "--quiet", "--bare", gitdir], { signal });
    mkdirSync(`${gitdir}/info`, { recursive: true });
    writeFileSync(`${gitdir}/info/attributes`, PLAIN_ATTRIBUTES);
    const fetch = (what: readonly string[]): Promise<string> =>
      whileSmall({ folder: `${gitdir}/objects`, url, limitBytes, signal }, (both) =>
        runGit([...inside, "fetch", "--quiet", "--no-tags", ...what], { signal: both }),
      );
    try {
      await fetch(["--depth", "1", "--", url, rev]);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof CodedError) throw error;
      if (ref === undefined) throw isMissing(error) ? revisionMissing(url, rev) : explain(error, url);
      await fetch(["--", url, ref]).catch((cause: unknown) => {
        throw explain(cause, url);
      });
    }
    const time = await runGit([...inside, "show", "--no-patch", "--format=%ct", rev], { signal }).catch(() => {
      throw revisionMissing(url, rev);
    });
    await runGit([...inside, "read-tree", rev], { signal });
    mkdirSync(destination);
    await runGit([...inside, "--work-tree", destination, "checkout-index", "--all", "--quiet"], {
      signal,
      cwd: destination,
    });
    const staged = await runGit([...inside, "ls-files", "--stage", "-z"], { signal });
    const gitlinks = [...staged.matchAll(/160000 ([0-9a-f]{40}) 0\t([^\0]+)\0/g)].map(([, rev, path]) => ({
      path: path as string,
      rev: rev as string,
    }));
    return { lastModified: Number(time.trim()), gitlinks };
  } finally {
    rmSync(gitdir, { recursive: true, force: true });
  }
}

interface Growing {
  readonly folder: string;
  readonly url: string;
  readonly limitBytes: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Let git fetch as long as its folder is small enough: git itself knows no limit.
 *
 * @throws {CodedError} `git.too-large`
 */
async function whileSmall<T>(
  { folder, url, limitBytes, signal }: Growing,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const look = (): void => {
    if (sizeOf(folder) > limitBytes) stop.abort(tooLarge(url, limitBytes));
  };
  const looking = setInterval(look, LOOK_MS);
  try {
    const done = await run(signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
    look();
    stop.signal.throwIfAborted();
    return done;
  } catch (error) {
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    clearInterval(looking);
  }
}

/** Bytes of the files below a folder that something is at work in. */
function sizeOf(folder: string): number {
  let size = 0;
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    // git took a folder away meanwhile; the next look counts.
    return 0;
  }
  for (const name of names) {
    const found = lstatSync(`${folder}/${name}`, { throwIfNoEntry: false });
    if (found?.isFile() === true) size += found.size;
  }
  return size;
}

export interface RunGitOptions {
  readonly cwd?: string;
  /** The most that it may print. Default 1 GiB. */
  readonly limitBytes?: number;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Run the git program and take its output.
 *
 * @throws {CodedError} `git.program-missing`; what it printed, when it fails.
 */
export function runGit(args: readonly string[], options: RunGitOptions = {}): Promise<string> {
  const program = findProgram("git");
  if (program === undefined) {
    return Promise.reject(
      new CodedError("git.program-missing", 'Cannot run "git": it is not installed', {
        hint: "Install git, or use a git+https:// address.",
      }),
    );
  }
  const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, ...env } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      program,
      [...SETTINGS, ...args],
      {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        // Words in one language, so that what failed can be told; and no question to a terminal nobody watches.
        env: {
          ...env,
          ...options.env,
          LC_ALL: "C",
          GIT_TERMINAL_PROMPT: "0",
          GIT_SSH_COMMAND: env["GIT_SSH_COMMAND"] ?? "ssh -o BatchMode=yes",
        },
        maxBuffer: options.limitBytes ?? 1 << 30,
        encoding: "utf8",
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(Object.assign(error, { message: lastWords(stderr) || error.message }));
      },
    );
  });
}

function lastWords(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.trim());
  // What ssh says comes before what git makes of it, and is the reason.
  const reason = lines.find((line) => /^(ssh: |Host key verification failed|.*Permission denied \()/.test(line));
  const told = reason ?? lines.find((line) => /^(fatal|error):/.test(line)) ?? lines.findLast((line) => line !== "");
  return (told ?? "").replace(/^(fatal|error): /, "").replace(/\.$/, "");
}

function isMissing(error: unknown): boolean {
  return /not our ref|couldn't find remote ref|no such (ref|remote)/i.test((error as Error).message);
}

function explain(error: unknown, url: string): unknown {
  return error instanceof CodedError || (error as { name?: string }).name === "AbortError"
    ? error
    : unreachable(url, error);
}
