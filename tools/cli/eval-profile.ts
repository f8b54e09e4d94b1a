import { resolve } from "node:path";
import {
  type EvaluationProfile,
  formatCollapsed,
  formatCpuProfile,
  joinProfiles,
  timeByFile,
} from "../../core/host/evaluator/index.ts";
import { writeFileAtomic } from "../../core/host/files/write.ts";
import type { CliContext } from "./context.ts";

/** Files named when the profile is written. */
const MOST_FILES = 5;

/** `--eval-profile FILE`: `.cpuprofile` as V8 has it, any other name as collapsed stacks; of all evaluations of a command together. */
export function makeProfileWriter(context: CliContext, name: string): (profile: EvaluationProfile) => void {
  const file = resolve(context.cwd, name);
  const profiles: EvaluationProfile[] = [];
  return (profile) => {
    profiles.push(profile);
    const joined = joinProfiles(profiles);
    writeFileAtomic(
      file,
      file.endsWith(".cpuprofile") ? formatCpuProfile(joined) : formatCollapsed(joined, context.cwd),
    );
    const total = (joined.endTime - joined.startTime) / 1000;
    context.say(`Wrote ${file}: ${total.toFixed(0)} ms of evaluation`);
    for (const [path, microseconds] of timeByFile(joined, context.cwd).slice(0, MOST_FILES))
      context.say(`${(microseconds / 1000).toFixed(1).padStart(8)} ms  ${path}`);
  };
}
