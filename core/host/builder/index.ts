export * from "./build-paths.ts";
export { LocalExecutor, type LocalExecutorOptions } from "./local-executor.ts";
export { Closures } from "./closures.ts";
export { findPlatform, type Platform } from "./platform.ts";
