export * from "./builtin.ts";
export * from "./download.ts";
export * from "./settings.ts";
