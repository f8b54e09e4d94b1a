export * from "./combine-runs.ts";
export * from "./github.ts";
export { findLastRun } from "./compare-runs.ts";
export * from "./junit.ts";
export * from "./make-report.ts";
export * from "./report-data.ts";
export * from "./run-record.ts";
export * from "./write-report.ts";
