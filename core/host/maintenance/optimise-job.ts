import { FileJoiner, type JoinedFiles } from "../files/index.ts";

/** One store object whose files are to be joined with equal ones. */
export interface OptimiseJob {
  /** Its place on the host. */
  readonly path: string;
  readonly realStoreDirectory: string;
  /** Tells runs apart: what one knows of the links is no good for a later one. */
  readonly run: string;
}

export type OptimiseResult = JoinedFiles;

/** So many runs at once keep what they know. */
const MOST_RUNS = 4;
const joiners = new Map<string, FileJoiner>();

/** Join the files of one object with equal ones. */
export function runOptimiseJob({ path, realStoreDirectory, run }: OptimiseJob): OptimiseResult {
  let joiner = joiners.get(run);
  if (joiner === undefined) {
    joiner = new FileJoiner(realStoreDirectory);
    joiners.set(run, joiner);
    for (const old of [...joiners.keys()].slice(0, -MOST_RUNS)) joiners.delete(old);
  }
  return joiner.join(path);
}
