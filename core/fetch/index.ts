export * from "./access.ts";
export * from "./ar.ts";
export * from "./git-attributes.ts";
export * from "./large-files.ts";
export * from "./mirrors.ts";
export * from "./netrc.ts";
export * from "./retry.ts";
export * from "./settings.ts";
