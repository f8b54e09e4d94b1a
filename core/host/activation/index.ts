export * from "./boot-menu.ts";
export * from "./delete-generations.ts";
export * from "./lock.ts";
export * from "./paths.ts";
export * from "./switch-host.ts";
export * from "./switch.ts";
