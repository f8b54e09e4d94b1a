import { CodedError, equalHashes, formatHash, makeHasher } from "../../base/index.ts";
import {
  goodSignatures,
  isVerifiablyContentAddressed,
  notValid,
  type PathInfo,
  type StorePath,
  type StoreQueries,
  type StoreReader,
} from "../../store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { Findings, StoreFault, VerifyOptions } from "./verify.ts";

export type VerifyDistantOptions = Omit<VerifyOptions, "paths" | "threads"> & { readonly paths: readonly StorePath[] };

/**
 * Compare what a store that is not a directory of this machine gives with what it says of it: a cache, a daemon, another machine. Each
 * object is looked at alone, and has to be there with all it refers to.
 *
 * @throws {CodedError} `store.not-valid` for a path that the store does not have; those of a store that cannot be reached
 */
export async function verifyDistant(
  store: StoreQueries & StoreReader,
  { paths, contents = false, signaturesNeeded = 0, trustedKeys = [], signal, onProgress }: VerifyDistantOptions,
): Promise<Findings> {
  const faults: StoreFault[] = [];
  for (const [index, path] of paths.entries()) {
    signal?.throwIfAborted();
    const info = await store.queryPathInfo(path);
    if (info === undefined) throw notValid(path);
    const add = (kind: StoreFault["kind"], found: string): number => faults.push({ kind, path, found });
    for (const reference of info.references) {
      if (reference !== path && !(await store.isValid(reference)))
        add("incomplete", `it refers to ${reference}, which the store does not have`);
    }
    if (!isVerifiablyContentAddressed(info)) {
      const keys = goodSignatures(info, trustedKeys, ed25519).length;
      if (keys < signaturesNeeded) add("untrusted", `${keys} of ${signaturesNeeded} trusted keys signed it`);
    }
    const fault = contents ? await contentsFault(store, info, signal) : undefined;
    if (fault !== undefined) add(fault.kind, fault.found);
    onProgress?.(index + 1, paths.length);
  }
  return { checked: paths.length, faults, gone: [], unhashed: [], metadata: [] };
}

async function contentsFault(
  store: StoreReader,
  { path, narHash, narSize }: PathInfo,
  signal: AbortSignal | undefined,
): Promise<Pick<StoreFault, "kind" | "found"> | undefined> {
  const hasher = makeHasher("sha256");
  let sizeBytes = 0;
  try {
    for await (const piece of store.readNar(path)) {
      signal?.throwIfAborted();
      sizeBytes += piece.length;
      // An archive without end is told as soon as it is longer than it may be.
      if (sizeBytes > narSize) return { kind: "damaged", found: `more than the ${narSize} bytes it states` };
      hasher.update(piece);
    }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { kind: isDamage(error) ? "damaged" : "unreadable", found: error.message };
  }
  const hash = hasher.digest();
  if (equalHashes(hash, narHash)) return undefined;
  return { kind: "damaged", found: `found ${formatHash(hash, "sri")}, registered ${formatHash(narHash, "sri")}` };
}

/** A file that is not there or not what was said of it; a cache that does not answer may be well. */
function isDamage({ code }: CodedError): boolean {
  return ["cache.file-missing", "cache.file-mismatch", "nar.malformed", "store.nar-mismatch"].includes(code);
}
