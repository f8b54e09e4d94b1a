export {
  type BuildsNeeded,
  evaluate,
  type EvaluateOptions,
  type EvaluationResult,
  type Json,
  type LockNeeded,
} from "./evaluate.ts";
export { takeEarlyStart } from "./early-start.ts";
export { readEvaluationSettings } from "./limits.ts";
export { bundleFiles } from "./bundle-files.ts";
export { makeStripTypes } from "./child/strip-types.ts";
export type { DebugStop, EvaluationDebugger, HowToGoOn } from "./debug-channel.ts";
export { findEngine, isBundleCurrent } from "./engine.ts";
export { FLAKE_FILE_NAME, type FlakeLocation, type LockedFlake, type Question } from "./locked-flake.ts";
export type { EvaluationPlan, PlanSource } from "./plan.ts";
export {
  type AskedOutput,
  type FileRead,
  type OutlinedOutputs,
  type Expression,
  type Want,
} from "./protocol.ts";
export {
  type EvaluationProfile,
  formatCollapsed,
  formatCpuProfile,
  joinProfiles,
  timeByFile,
} from "./profile.ts";
export { realisePlan } from "./realise-plan.ts";
export { defaultRecordsFolder, Records } from "./record.ts";
export type { RunChildOptions } from "./run-child.ts";
export type { Isolation } from "./sandbox.ts";
export { EXPRESSION_OUTPUTS } from "./inside/expression-place.ts";
export { warmUp } from "./warm-up.ts";
