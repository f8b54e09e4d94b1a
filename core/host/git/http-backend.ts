import fs from "node:fs";
import { rmSync } from "node:fs";
import git from "isomorphic-git";
import http from "isomorphic-git/http/node";
import { obeyNetworkHabits } from "../process/index.ts";
import { makeTemporaryFolder } from "./temporary.ts";
import type { FetchTreeOptions, GitBackend, RemoteRefs } from "./backend.ts";
import { revisionMissing, unreachable } from "./errors.ts";
import { writeTree } from "./write-tree.ts";

type HttpClient = Parameters<typeof git.listServerRefs>[0]["http"];

/** A server that accepts a connection and then says nothing is given up after this time. */
const ANSWER_TIMEOUT_MS = 60_000;

/** Repositories over smart HTTP, without any program. */
export const httpBackend: GitBackend = {
  async listRefs(url, signal): Promise<RemoteRefs> {
    let listed: Awaited<ReturnType<typeof git.listServerRefs>>;
    try {
      listed = await git.listServerRefs({
        http: clientFor(signal),
        url,
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
  },

  async fetchTree({ url, rev, ref, destination, signal }: FetchTreeOptions) {
    const gitdir = makeTemporaryFolder("git");
    const cache = {};
    const repository = { fs, gitdir, cache };
    try {
      await git.init({ fs, gitdir, bare: true });
      await git.addRemote({ fs, gitdir, remote: "origin", url });
      const fetched = { ...repository, http: clientFor(signal), url, singleBranch: true, tags: false };
      try {
        await git.fetch({ ...fetched, ref: rev, depth: 1 });
      } catch (error) {
        signal?.throwIfAborted();
        if (isConnectionError(error)) throw unreachable(url, error);
        // Some servers give out only what a ref points to; then the whole history of the ref has the commit.
        if (ref === undefined) throw revisionMissing(url, rev, error);
        await git.fetch({ ...fetched, ref }).catch((cause: unknown) => {
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
      await writeTree(reader, commit.commit.tree, destination);
      return { lastModified: commit.commit.committer.timestamp };
    } finally {
      rmSync(gitdir, { recursive: true, force: true });
    }
  },
};

function isConnectionError(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return /^E[A-Z_]+$/.test(code) || code === "HttpError" || code === "FLOE_TIMEOUT";
}

/** The library's client, which can be called off and does not wait for ever. */
function clientFor(signal: AbortSignal | undefined): HttpClient {
  return {
    async request(options) {
      signal?.throwIfAborted();
      await obeyNetworkHabits();
      const { promise: stopped, stop } = stoppedBy(signal);
      try {
        return await Promise.race([http.request(options), stopped]);
      } finally {
        stop();
      }
    },
  };
}

function stoppedBy(signal: AbortSignal | undefined): { promise: Promise<never>; stop: () => void } {
  let stop = (): void => {};
  const promise = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    const timer = setTimeout(() => {
      reject(
        Object.assign(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1000} seconds`), { code: "FLOE_TIMEOUT" }),
      );
    }, ANSWER_TIMEOUT_MS);
    signal?.addEventListener("abort", onAbort, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  });
  return { promise, stop };
}
