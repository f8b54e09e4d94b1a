export type * from "./machine.ts";
export type * from "./manifest.ts";
export * from "./vm-test.ts";
