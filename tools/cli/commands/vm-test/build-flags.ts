import type { BuildFlags } from "../../flags.ts";
import type { RunFlags } from "./index.ts";

/** Flags as builds of images have them: the limit of time is one for stories. */
export function buildFlagsOf({ timeout: _, jobs, ...flags }: RunFlags): BuildFlags {
  return { ...flags, ...(jobs === undefined ? {} : { maxJobs: Math.max(1, jobs) }), rebuild: false };
}
