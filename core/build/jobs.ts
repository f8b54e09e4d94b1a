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

export type PlanJob = BuildJob | SubstituteJob;

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
