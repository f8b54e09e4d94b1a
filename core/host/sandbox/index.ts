export * from "./arguments.ts";
export * from "./etc.ts";
export * from "./run.ts";
export * from "./run-plain.ts";
export * from "./support.ts";
