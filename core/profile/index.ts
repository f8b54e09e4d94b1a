export * from "./expiry.ts";
export * from "./generation.ts";
