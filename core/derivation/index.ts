export * from "./aterm.ts";
export * from "./closure-difference.ts";
export * from "./coerce.ts";
export * from "./derivation.ts";
export {
  beginEvaluation,
  currentEvaluation,
  type Evaluation,
  type ModuleTree,
  type NeededOutput,
  type PlannedSource,
  registerSource,
  type SourceHost,
  type TreeFilter,
} from "./evaluation.ts";
export * from "./hash-modulo.ts";
export * from "./local.ts";
export * from "./local-modules.ts";
export { derivation, type DerivationOptions, type DerivationValue } from "./make-derivation.ts";
export * from "./nested-inputs.ts";
export { outputOf } from "./output-of.ts";
export * from "./output-paths.ts";
export * from "./parse-shown.ts";
export * from "./placeholder.ts";
export { NEEDS_BUILD, readOutput } from "./read-output.ts";
export * from "./resolve.ts";
export { contextOf } from "./scan.ts";
export * from "./scratch-path.ts";
export * from "./show.ts";
export * from "./structured-attrs.ts";
export * from "./to-file.ts";
export * from "./version.ts";
