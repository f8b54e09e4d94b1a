import type { Hash } from "../../base/index.ts";
import type { HashResult } from "./hash-job.ts";
import { shareJobs } from "./share-jobs.ts";

export interface ObjectToHash {
  /** Its place on the host. */
  readonly path: string;
  /** Expected bytes, to share the work out. */
  readonly sizeBytes: number;
}

export interface HashedObject {
  /** Absent when it could not be read; `fault` says why. */
  readonly hash?: { readonly narHash: Hash; readonly narSize: number };
  readonly fault?: { readonly code: string; readonly message: string };
  /** The first files whose mode, owner or time is not canonical: `path: fault`. */
  readonly metadata: readonly string[];
  /** How many there are. */
  readonly metadataFaults: number;
}

export interface HashObjectsOptions {
  /** Default: the number of processors. */
  readonly threads?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told as each one is done, in any order. */
  readonly onHashed?: (index: number) => void;
}

/**
 * Hash many store objects, on all processors when there is much to read.
 *
 * @returns one result for each, in their order.
 */
export async function hashObjects(
  objects: readonly ObjectToHash[],
  { threads, signal, onHashed }: HashObjectsOptions = {},
): Promise<HashedObject[]> {
  const results = new Array<HashedObject>(objects.length);
  await shareJobs({
    kind: "hash",
    jobs: objects.map(({ path, sizeBytes }, index) => ({ job: { index, path }, sizeBytes })),
    take(result) {
      results[result.index] = hashedObject(result);
      onHashed?.(result.index);
    },
    threads,
    signal,
  });
  return results;
}

function hashedObject({ digest, sizeBytes = 0, fault, metadata, metadataFaults }: HashResult): HashedObject {
  if (digest === undefined) return { ...(fault === undefined ? {} : { fault }), metadata, metadataFaults };
  // A message gives bytes a type of its own; digests are plain arrays.
  const hash = { narHash: { algorithm: "sha256" as const, digest: new Uint8Array(digest) }, narSize: sizeBytes };
  return { hash, metadata, metadataFaults };
}
