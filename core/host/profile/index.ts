// What takes old generations away is in expire.ts: it needs the store's locks, which the floe of a machine does not have.
export * from "./profile.ts";
