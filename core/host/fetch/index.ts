export * from "./builtin.ts";
export * from "./deb-member.ts";
export * from "./download.ts";
export * from "./settings.ts";
