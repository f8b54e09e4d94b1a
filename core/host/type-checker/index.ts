export { checkTypes, type CheckTypesOptions } from "./check-types.ts";
