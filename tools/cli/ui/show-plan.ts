import {
  type BuildJob,
  type BuildPlan,
  type FollowJob,
  type PlanJob,
  shortName,
  showFollowed,
  showReason,
  type SubstituteJob,
} from "../../../core/build/index.ts";
import { showUrl } from "../../../core/fetch/index.ts";
import { formatBytes } from "../text.ts";

/** The plan is shown up to this many lines, then the number of the others. */
const PLAN_LINES = 24;

/** What will be done, for people, as lines; none when there is nothing to do. */
export function showPlan({ jobs }: Pick<BuildPlan, "jobs">): string[] {
  if (jobs.length === 0) return [];
  const builds = jobs.filter((job): job is BuildJob => job.kind === "build");
  const fetches = jobs.filter((job): job is BuildJob => job.kind === "fetch");
  const transfers = jobs.filter((job): job is SubstituteJob => job.kind === "substitute");
  const follows = jobs.filter((job): job is FollowJob => job.kind === "follow");
  // What is fetched says little about why; what is built comes first.
  const ordered = [...builds, ...fetches].map(
    ({ kind, drvPath, why }) => `${kind} ${shortName(drvPath)}: ${showReason(why)}`,
  );
  return [
    ...(ordered.length === 0 ? [] : [`${builds.length} to build, ${fetches.length} to fetch:`]),
    ...ordered.slice(0, PLAN_LINES).map((line) => `  ${line}`),
    ...(ordered.length > PLAN_LINES ? [`  and ${ordered.length - PLAN_LINES} more`] : []),
    ...(transfers.length === 0
      ? []
      : [`${transfers.length} to take from ${sources(transfers)}${showTransfers(transfers)}:`]),
    ...transfers.slice(0, PLAN_LINES).map((job) => `  ${shortName(job.path)}`),
    ...(transfers.length > PLAN_LINES ? [`  and ${transfers.length - PLAN_LINES} more`] : []),
    ...follows.slice(0, PLAN_LINES).map((job) => `then what ${showFollowed(job)} says`),
    ...(follows.length > PLAN_LINES ? [`and what ${follows.length - PLAN_LINES} more say`] : []),
  ];
}

/** How much comes from other stores: ` (12 MiB to download, 40 MiB unpacked)`; empty when nothing does. */
export function showTransfers(jobs: readonly PlanJob[]): string {
  const transfers = jobs.filter((job): job is SubstituteJob => job.kind === "substitute");
  if (transfers.length === 0) return "";
  const unpacked = transfers.reduce((sum, { offer }) => sum + offer.info.narSize, 0);
  const download = transfers.reduce((sum, { offer }) => sum + (offer.downloadSize ?? offer.info.narSize), 0);
  return ` (${formatBytes(download)} to download, ${formatBytes(unpacked)} unpacked)`;
}

function sources(transfers: readonly SubstituteJob[]): string {
  return [...new Set(transfers.map(({ offer }) => showUrl(offer.from)))].join(" and ");
}
