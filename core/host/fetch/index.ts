export * from "./access.ts";
export * from "./ask-server.ts";
export * from "./builtin.ts";
export * from "./download.ts";
export * from "./settings.ts";
