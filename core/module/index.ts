export * from "./namespaces.ts";
export { after, before, defaults, force, withOrder, withPriority } from "./priority.ts";
export type { Definition } from "./definition.ts";
export { showPlace } from "./definition.ts";
export type {
  AnyOption,
  Option,
  OptionGroup,
  ReadGroup,
  RequiredOption,
  WriteGroup,
  WriteRequiredGroup,
} from "./option-type.ts";
export { option } from "./option.ts";
export type { Deferred } from "./deferred-type.ts";
export type { DefinedBy, OptionSettings, ValueOf } from "./option.ts";
export type { SubmoduleContext, SubmoduleRule } from "./submodule-type.ts";
export { type Declaration, type Read, type Write, declare } from "./declare.ts";
export {
  type Module,
  type ModuleCompany,
  type ModuleHead,
  type Rule,
  type RuleContext,
  changedOption,
  defineModule,
  removedOption,
  renamedOption,
} from "./module.ts";
export { type EvaluateModulesOptions, type EvaluatedModules, evaluateModules } from "./evaluate.ts";
export type { Contribution, EvaluatedOption, EvaluatedOptions, ModuleReference } from "./evaluated-options.ts";
export { type OptionDocumentation, documentOptions } from "./docs.ts";
export { type ShowDeclaration, formatOptionsJson, formatOptionsMarkdown, splitOptionPath } from "./format-docs.ts";
export * from "./formats/index.ts";
export { type PackageLike, type Stringable, isPackageLike, isPlainObject } from "./value.ts";
