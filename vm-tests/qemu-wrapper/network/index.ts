export * from "./capture.ts";
export * from "./frame-stream.ts";
export * from "./link.ts";
export * from "./switch.ts";
