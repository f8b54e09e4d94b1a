export * from "./ar.ts";
export * from "./mirrors.ts";
export * from "./retry.ts";
export * from "./settings.ts";
