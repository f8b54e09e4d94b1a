import { lstatSync, type Stats } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { metadataFault, scanTreeSync } from "../files/index.ts";
import { hashSmallFile } from "./hash-file.ts";

/** One object to be hashed, by a number its asker knows. */
export interface HashJob {
  readonly index: number;
  readonly path: string;
}

/** What was found; `fault` says why it could not be hashed. */
export interface HashResult {
  readonly index: number;
  readonly digest?: Uint8Array;
  readonly sizeBytes?: number;
  readonly fault?: { readonly code: string; readonly message: string };
  /** The first files whose mode, owner or time is not canonical: `path: fault`. */
  readonly metadata: readonly string[];
  /** How many there are. */
  readonly metadataFaults: number;
}

/** So many faults of one object are told in words. */
const TOLD_FAULTS = 3;

/** Hash one object and look at the metadata of its files on the way. */
export function runHashJob({ index, path }: HashJob): HashResult {
  const metadata: string[] = [];
  let metadataFaults = 0;
  try {
    const own = lstatSync(path);
    const inspect = (file: string, stat: Stats): void => {
      const fault = metadataFault(stat, own.uid);
      if (fault === undefined) return;
      metadataFaults += 1;
      if (metadata.length < TOLD_FAULTS) metadata.push(`${file}: ${fault}`);
    };
    const small = hashSmallFile(path, own);
    if (small !== undefined) {
      inspect(path, own);
      return { index, ...small, metadata, metadataFaults };
    }
    const { narHash, narSize } = scanTreeSync(path, { inspect });
    return { index, digest: narHash.digest, sizeBytes: narSize, metadata, metadataFaults };
  } catch (error) {
    return { index, fault: faultOf(error), metadata, metadataFaults };
  }
}

/** A failure of reading belongs to the object; one of ours goes on. */
function faultOf(error: unknown): { code: string; message: string } {
  if (error instanceof CodedError) return { code: error.code, message: error.message };
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) throw error;
  return { code: code ?? "error", message };
}
