export { checkTypes, type CheckTypesOptions } from "./check-types.ts";
export { type Compiler, findCompiler } from "./compiler.ts";
export { declareEngine, defaultTypesFolder, floePaths } from "./make-declarations.ts";
export { COMPILER_OPTIONS } from "./settings.ts";
export { TYPES_FOLDER, wantsTypes } from "./types-folder.ts";
export { type FlakeTypes, type FlakeTypesOptions, writeFlakeTypes } from "./write-flake-types.ts";
