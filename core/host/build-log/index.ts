export * from "./lines.ts";
export * from "./path.ts";
export * from "./read.ts";
export * from "./writer.ts";
