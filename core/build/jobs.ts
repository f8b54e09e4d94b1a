import type { Derivation } from "../derivation/index.ts";
import type { PathInfo, StorePath } from "../store/index.ts";

/** Why a derivation has to be built. */
export type BuildReason =
  | { readonly kind: "missing-output"; readonly outputs: readonly string[]; readonly neededBy: StorePath | undefined }
  | { readonly kind: "rebuild" };

interface JobBase {
  /** Names the job in its plan: the derivation to build, or the path to fetch. */
  readonly id: StorePath;
  /** Jobs of this plan that have to be done first. */
  readonly dependencies: readonly StorePath[];
  /** Length of the longest chain of jobs that wait for this one; the longest chains start first. */
  readonly rank: number;
}

/** One derivation to build, or a download that a derivation describes. */
export interface BuildJob extends JobBase {
  /** `fetch` for fixed outputs made by a built-in builder: they take no build slot. */
  readonly kind: "build" | "fetch";
  readonly drvPath: StorePath;
  readonly drv: Derivation;
  readonly mode: "build" | "compare";
  readonly why: BuildReason;
}

/** One store object to take over from another store. Its dependencies are those of its references that are missing too. */
export interface SubstituteJob extends JobBase {
  readonly kind: "substitute";
  readonly path: StorePath;
  readonly offer: Offer;
}

/**
 * A derivation that is an output: what is to be done for it is known when that is there. The job is done when that is done too, and it
 * counts neither as a build nor as a transfer.
 */
export interface FollowJob extends JobBase {
  readonly kind: "follow";
  /** The derivation that has the output. */
  readonly drvPath: StorePath;
  /** As in `NestedInput`: the first name is the output to follow, those after it go on from there. */
  readonly through: readonly string[];
  /** What is wanted in the end. Default: all. */
  readonly outputs: readonly string[] | undefined;
  /** Derivations that need it; none when it was asked for. */
  readonly neededBy: readonly StorePath[];
  readonly isTarget: boolean;
  /** How many outputs were followed to get here; see {@link MOST_FOLLOWED}. */
  readonly depth: number;
}

export type PlanJob = BuildJob | SubstituteJob | FollowJob;

export function isBuildJob(job: PlanJob): job is BuildJob {
  return job.kind === "build" || job.kind === "fetch";
}

/** How many derivations may be written by builders of derivations that were written by builders, and so on: plans need not end by themselves. */
export const MOST_FOLLOWED = 100;

/** An output that is a derivation, for people: `out of hello.drv`. */
export function showFollowed({ drvPath, through }: Pick<FollowJob, "drvPath" | "through">): string {
  return `${[...through].reverse().join(" of ")} of ${shortName(drvPath)}`;
}

/** What another store has for a path. It was found trustworthy; the contents are still to be checked against it. */
export interface Offer {
  readonly info: PathInfo;
  /** Address of the store. */
  readonly from: string;
  /** Bytes to transfer, when the store says. */
  readonly downloadSize?: number | undefined;
}

/** A short sentence for people: why this job is to be done. */
export function showReason(why: BuildReason): string {
  if (why.kind === "rebuild") return "asked to build again";
  const outputs =
    why.outputs.length === 1 && why.outputs[0] === "out" ? "missing" : `missing output ${why.outputs.join(", ")}`;
  return why.neededBy === undefined ? outputs : `${outputs}, needed by ${shortName(why.neededBy)}`;
}

/** Name of a derivation or another store object for people: without store directory, digest and `.drv`. */
export function shortName(path: string): string {
  return path.replace(/^.*\/[0-9a-z]{32}-/, "").replace(/\.drv$/, "");
}
