export type * from "./build.ts";
export { defineProgram, type Program, type ProgramFunction } from "./define-program.ts";
export {
  type GivenInputs,
  type GivenText,
  programDerivation,
  type ProgramDerivationOptions,
} from "./program-derivation.ts";
