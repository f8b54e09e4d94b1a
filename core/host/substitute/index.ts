export { LookupCache } from "./lookup-cache.ts";
export { forgetLookups, isNearStore, openSubstituters, type OpenSubstitutersOptions } from "./open.ts";
export { readSubstitutionSettings } from "./settings.ts";
export type { Substituter, SubstituterSource } from "./substituter.ts";
export { Substituters, type SubstitutersOptions } from "./substituters.ts";
