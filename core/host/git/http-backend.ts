import { promises, rmSync } from "node:fs";
import git from "isomorphic-git";
import { CodedError } from "../../base/index.ts";
import { makeScratch } from "../files/index.ts";
import type { Access } from "../fetch/access.ts";
import { askServer } from "../fetch/ask-server.ts";
import { downloadLimitBytes } from "../fetch/settings.ts";
import {
  type FetchTreeOptions,
  type GitBackend,
  type GitLimits,
  LONGEST_REFS_BYTES,
  type RemoteRefs,
} from "./backend.ts";
import { BoundedTransfer } from "./bounded-transfer.ts";
import { checkPack } from "./check-pack.ts";
import { revisionMissing, unreachable } from "./errors.ts";
import { writeTree } from "./write-tree.ts";

type HttpClient = Parameters<typeof git.listServerRefs>[0]["http"];

/** The library holds what it gets in memory, twice; whose repository is larger has ssh. */
const LARGEST_PACK_BYTES = 4 * 1024 ** 3;

/** What the library writes before it looks into it, it may look into. */
const fs = {
  promises: {
    ...promises,
    async writeFile(path: string, contents: Uint8Array | string, options?: object): Promise<void> {
      if (path.endsWith(".pack")) checkPack(contents as Uint8Array);
      await promises.writeFile(path, contents, options);
    },
  },
};

/**
 * Repositories over smart HTTP, without any program.
 *
 * @param access Who asks, for servers that want to know. Default: nobody says.
 */
export function makeHttpBackend(access?: Access, limits: GitLimits = {}): GitBackend {
  const { stallMs, refsBytes = LONGEST_REFS_BYTES } = limits;
  return {
    listRefs: (url, signal) =>
      within(new BoundedTransfer({ url, limitBytes: refsBytes, stallMs }), (transfer) =>
        listRefs(url, clientFor({ access, signal, transfer }), signal),
      ),
    fetchTree(options) {
      const { url, signal } = options;
      const limitBytes = limits.commitBytes ?? Math.min(downloadLimitBytes(), LARGEST_PACK_BYTES);
      return within(new BoundedTransfer({ url, limitBytes, stallMs }), (transfer) =>
        fetchTree(options, clientFor({ access, signal, transfer })),
      );
    },
  };
}

/** What a transfer ended with counts before what became of what had come. */
async function within<T>(transfer: BoundedTransfer, run: (transfer: BoundedTransfer) => Promise<T>): Promise<T> {
  try {
    return await run(transfer);
  } finally {
    transfer.check();
  }
}

/** What is asked for lies behind one slash, as with git itself; the address stays as it was written everywhere else. */
function withoutSlashes(url: string): string {
  return url.replace(/\/+$/, "");
}

async function listRefs(url: string, http: HttpClient, signal: AbortSignal | undefined): Promise<RemoteRefs> {
  let listed: Awaited<ReturnType<typeof git.listServerRefs>>;
  try {
    listed = await git.listServerRefs({
      http,
      url: withoutSlashes(url),
      protocolVersion: 2,
      symrefs: true,
      peelTags: true,
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(url, error);
  }
  const head = listed.find((entry) => entry.ref === "HEAD")?.target;
  return {
    ...(head === undefined ? {} : { defaultBranch: head }),
    refs: new Map(listed.map(({ ref, oid, peeled }) => [ref, peeled ?? oid])),
  };
}

async function fetchTree(
  { url, rev, ref, destination, signal }: FetchTreeOptions,
  http: BoundedClient,
): ReturnType<GitBackend["fetchTree"]> {
  const gitdir = makeScratch("git");
  const cache = {};
  const repository = { fs, gitdir, cache };
  try {
    await git.init({ fs, gitdir, bare: true });
    await git.addRemote({ fs, gitdir, remote: "origin", url });
    const fetched = { ...repository, http, url: withoutSlashes(url), singleBranch: true, tags: false };
    try {
      await git.fetch({ ...fetched, ref: rev, depth: 1 });
    } catch (error) {
      signal?.throwIfAborted();
      http.transfer.check();
      if (error instanceof CodedError) throw error;
      if (isConnectionError(error)) throw unreachable(url, error);
      // Some servers give out only what a ref points to; then the whole history of the ref has the commit.
      if (ref === undefined) throw revisionMissing(url, rev, error);
      await git.fetch({ ...fetched, ref }).catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw cause instanceof CodedError ? cause : unreachable(url, cause);
      });
    }
    const commit = await git.readCommit({ ...repository, oid: rev }).catch(() => {
      throw revisionMissing(url, rev);
    });
    const reader = {
      readTree: async (oid: string) => (await git.readTree({ ...repository, oid })).tree,
      readBlob: async (oid: string) => (await git.readBlob({ ...repository, oid })).blob,
    };
    const gitlinks = await writeTree(reader, commit.commit.tree, destination);
    return { lastModified: commit.commit.committer.timestamp, gitlinks };
  } finally {
    rmSync(gitdir, { recursive: true, force: true });
  }
}

function isConnectionError(error: unknown): boolean {
  const { code = "", name, cause } = error as { code?: string; name?: string; cause?: { code?: string } };
  if (cause?.code !== undefined && name === "TypeError") return true;
  return /^E[A-Z_]+$/.test(code) || code === "HttpError" || code === "FLOE_TIMEOUT";
}

interface BoundedClient extends HttpClient {
  readonly transfer: BoundedTransfer;
}

interface ClientOptions {
  readonly access: Access | undefined;
  readonly signal: AbortSignal | undefined;
  readonly transfer: BoundedTransfer;
}

/** A client for the library: it can be called off, does not wait for ever, takes no more than it may, and says who asks. */
function clientFor({ access, signal, transfer }: ClientOptions): BoundedClient {
  return {
    transfer,
    async request({ url, method, headers, body }) {
      signal?.throwIfAborted();
      const silent = new AbortController();
      const timer = setTimeout(() => {
        const message = `no answer within ${transfer.stallMs / 1000} seconds`;
        silent.abort(Object.assign(new Error(message), { code: "FLOE_TIMEOUT" }));
      }, transfer.stallMs);
      const pieces: Uint8Array[] = [];
      if (body !== undefined) for await (const piece of body) pieces.push(piece);
      try {
        const { response, url: answered } = await askServer({
          url,
          method,
          headers,
          body: body === undefined ? undefined : Buffer.concat(pieces),
          access,
          signal: signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]),
        });
        return {
          url: answered,
          method: method ?? "GET",
          headers: Object.fromEntries(response.headers),
          body: response.body === null ? [] : transfer.bounded(response.body),
          statusCode: response.status,
          statusMessage: response.statusText,
        } as unknown as Awaited<ReturnType<HttpClient["request"]>>;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
