export * from "./content-address.ts";
export * from "./make-path.ts";
export * from "./path-info.ts";
export * from "./store-path.ts";
