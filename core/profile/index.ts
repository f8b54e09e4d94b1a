export * from "./generation.ts";
