export * from "./agent-client.ts";
export * from "./agent-exec.ts";
export * from "./check-host.ts";
export * from "./report/index.ts";
export * from "./reporter.ts";
export * from "./run.ts";
export * from "./run-folder.ts";
export * from "./run-log.ts";
