export * from "./brand.ts";
export * from "./bytes.ts";
export * from "./caller-location.ts";
export * from "./encodings.ts";
export * from "./errors.ts";
export * from "./hash.ts";
export * from "./near-names.ts";
export * from "./text.ts";
