export * from "./find-program.ts";
export * from "./inherited-descriptors.ts";
export * from "./terminal.ts";
