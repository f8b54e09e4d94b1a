import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { makeScratch } from "../files/index.ts";
import { findProgram } from "../process/find-program.ts";
import {
  type FetchTreeOptions,
  type GitBackend,
  type GitLimits,
  LONGEST_REFS_BYTES,
  type RemoteRefs,
  STALL_MS,
} from "./backend.ts";
import { revisionMissing, silentServer, tooLarge, unreachable } from "./errors.ts";
import { either, whileGrowing } from "./while-growing.ts";
import { tooMuch, type TreeLimits, TREE_LIMITS } from "./write-tree.ts";

/** Settings of every call: ask nobody, run no foreign command, change no byte of a file, leave no process that tidies what is removed soon. */
const SETTINGS = [
  "core.autocrlf=false",
  "core.symlinks=true",
  "core.fsmonitor=false",
  "maintenance.auto=false",
  "protocol.ext.allow=never",
  "protocol.file.allow=always",
  "safe.directory=*",
].flatMap((setting) => ["-c", setting]);
/** Takes precedence over the attributes in the tree. */
const PLAIN_ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding -export-ignore -export-subst\n";

/** git says nothing while a list of refs comes, so that has longer. */
const LISTS_TAKE = 3;
/** Names and sizes of four million files and folders. */
const LONGEST_LIST_BYTES = 400 * 1024 * 1024;

interface ProgramLimits extends GitLimits {
  /** Default {@link TREE_LIMITS}. */
  readonly tree?: TreeLimits;
}

/** Repositories by way of the `git` program: ssh with the user's keys, and `file://`. */
export function makeProgramBackend(limits: ProgramLimits = {}): GitBackend {
  const { refsBytes = LONGEST_REFS_BYTES, stallMs = STALL_MS } = limits;
  return {
    listRefs: (url, signal) => listRefs(url, { refsBytes, stallMs }, signal),
    fetchTree: (options) => fetchTree(options, limits),
  };
}

async function listRefs(
  url: string,
  { refsBytes, stallMs }: { readonly refsBytes: number; readonly stallMs: number },
  signal: AbortSignal | undefined,
): Promise<RemoteRefs> {
  const args = ["ls-remote", "--symref", "--", url];
  const late = silentServer(url, stallMs * LISTS_TAKE);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(late), stallMs * LISTS_TAKE);
  const listing = await runGit(args, { signal: either(signal, stop.signal), limitBytes: refsBytes })
    .catch((error: unknown) => {
      stop.signal.throwIfAborted();
      throw isTooLong(error) ? tooLarge(url, refsBytes) : explain(error, url);
    })
    .finally(() => clearTimeout(timer));
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

function isTooLong(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER";
}

async function fetchTree(
  { url, rev, ref, destination, signal }: FetchTreeOptions,
  limits: ProgramLimits,
): ReturnType<GitBackend["fetchTree"]> {
  const gitdir = makeScratch("git");
  const inside = ["--git-dir", gitdir];
  try {
    await runGit(["init", "--quiet", "--bare", gitdir], { signal });
    mkdirSync(`${gitdir}/info`, { recursive: true });
    writeFileSync(`${gitdir}/info/attributes`, PLAIN_ATTRIBUTES);
    const fetch = (what: readonly string[]): Promise<string> =>
      whileGrowing({ folder: `${gitdir}/objects`, url, limits, signal }, (run) =>
        runGit([...inside, "fetch", "--progress", "--no-tags", ...what], run),
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
      signal?.throwIfAborted();
      throw revisionMissing(url, rev);
    });
    await checkTree({ inside, url, rev, signal }, limits.tree);
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

interface CheckedTree {
  /** Words for git that name the repository. */
  readonly inside: readonly string[];
  readonly url: string;
  readonly rev: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * A tree unfolds on the disk, and before that in the memory of git.
 *
 * @throws {CodedError} `git.too-large`; `git.rev-missing` when git cannot list it
 */
async function checkTree(
  { inside, url, rev, signal }: CheckedTree,
  { entries, bytes }: TreeLimits = TREE_LIMITS,
): Promise<void> {
  // Folders too, so that those that hold nothing but folders do not keep git busy without a word.
  const args = [...inside, "ls-tree", "-r", "-t", "-l", "-z", rev];
  const listing = await runGit(args, { signal, limitBytes: LONGEST_LIST_BYTES }).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw isTooLong(error) ? tooMuch("files and folders") : revisionMissing(url, rev, error);
  });
  let [found, size] = [0, 0];
  for (const [, sizeBytes] of listing.matchAll(/[0-9a-f]{40} +(\d+|-)\t[^\0]*\0/g)) {
    found += 1;
    if (sizeBytes !== "-") size += Number(sizeBytes);
  }
  if (found > entries) throw tooMuch("files and folders");
  if (size > bytes) throw tooMuch("bytes");
}

export interface RunGitOptions {
  readonly cwd?: string;
  /** The most that it may print. Default 1 GiB. */
  readonly limitBytes?: number;
  /** Variables besides those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** It and what it started are killed. */
  readonly signal?: AbortSignal | undefined;
  /** Called when it says something beside its output. */
  readonly onWords?: (() => void) | undefined;
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
    const { signal } = options;
    signal?.throwIfAborted();
    const kill = (): void => killTree(child.pid);
    signal?.addEventListener("abort", kill, { once: true });
    const child = execFile(
      program,
      [...SETTINGS, ...args],
      {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
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
        signal?.removeEventListener("abort", kill);
        if (error === null) resolve(stdout);
        else if (signal?.aborted === true) reject(signal.reason);
        else reject(Object.assign(error, { message: lastWords(stderr) || error.message }));
      },
    );
    if (options.onWords !== undefined) child.stderr?.on("data", options.onWords);
  });
}

/** git leaves the ssh alone that it started, and a server that stays silent would keep that for ever. */
function killTree(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    // So it starts no more of them.
    process.kill(pid, "SIGSTOP");
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" "))
      if (child !== "") killTree(Number(child));
  } catch {
    // It is gone, or this system does not list them.
  }
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
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
