export * from "./build-paths.ts";
export { findPlatform, type Platform } from "./platform.ts";
