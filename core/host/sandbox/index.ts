export * from "./etc.ts";
export { NativeSandbox, RANGE_FIRST_ID } from "./native.ts";
export * from "./open.ts";
export * from "./run-plain.ts";
export * from "./sandbox.ts";
export * from "./seccomp/index.ts";
export * from "./spec.ts";
export * from "./subordinate-ids.ts";
export * from "./support.ts";
