export * from "./expire.ts";
export * from "./profile.ts";
