import fs from "node:fs";
import { rmSync } from "node:fs";
import git from "isomorphic-git";
import type { Access } from "../fetch/access.ts";
import { askServer } from "../fetch/ask-server.ts";
import { makeTemporaryFolder } from "./temporary.ts";
import type { FetchTreeOptions, GitBackend, RemoteRefs } from "./backend.ts";
import { revisionMissing, unreachable } from "./errors.ts";
import { writeTree } from "./write-tree.ts";

type HttpClient = Parameters<typeof git.listServerRefs>[0]["http"];

/** A server that accepts a connection and then says nothing is given up after this time. */
const ANSWER_TIMEOUT_MS = 60_000;

/**
 * Repositories over smart HTTP, without any program.
 *
 * @param access Who asks, for servers that want to know. Default: nobody says.
 */
export function makeHttpBackend(access?: Access): GitBackend {
  return {
    listRefs: (url, signal) => listRefs(url, clientFor(access, signal), signal),
    fetchTree: (options) => fetchTree(options, clientFor(access, options.signal)),
  };
}

async function listRefs(url: string, http: HttpClient, signal: AbortSignal | undefined): Promise<RemoteRefs> {
  let listed: Awaited<ReturnType<typeof git.listServerRefs>>;
  try {
    listed = await git.listServerRefs({ http, url, protocolVersion: 2, symrefs: true, peelTags: true });
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
  http: HttpClient,
): ReturnType<GitBackend["fetchTree"]> {
  const gitdir = makeTemporaryFolder("git");
  const cache = {};
  const repository = { fs, gitdir, cache };
  try {
    await git.init({ fs, gitdir, bare: true });
    await git.addRemote({ fs, gitdir, remote: "origin", url });
    const fetched = { ...repository, http, url, singleBranch: true, tags: false };
    try {
      await git.fetch({ ...fetched, ref: rev, depth: 1 });
    } catch (error) {
      signal?.throwIfAborted();
      if (isConnectionError(error)) throw unreachable(url, error);
      // Some servers give out only what a ref points to; then the whole history of the ref has the commit.
      if (ref === undefined) throw revisionMissing(url, rev, error);
      await git.fetch({ ...fetched, ref }).catch((cause: unknown) => {
        signal?.throwIfAborted();
        throw unreachable(url, cause);
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

/** A client for the library: it can be called off, does not wait for ever, and says who asks. */
function clientFor(access: Access | undefined, signal: AbortSignal | undefined): HttpClient {
  return {
    async request({ url, method, headers, body }) {
      signal?.throwIfAborted();
      const silent = new AbortController();
      const timer = setTimeout(() => {
        const message = `no answer within ${ANSWER_TIMEOUT_MS / 1000} seconds`;
        silent.abort(Object.assign(new Error(message), { code: "FLOE_TIMEOUT" }));
      }, ANSWER_TIMEOUT_MS);
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
          body: response.body ?? [],
          statusCode: response.status,
          statusMessage: response.statusText,
        } as unknown as Awaited<ReturnType<HttpClient["request"]>>;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
