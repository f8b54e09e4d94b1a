/** What the program on a machine needs of this floor: it knows units and boot entries, and nothing of modules. */
export * from "./boot-entries.ts";
export * from "./boot-spec.ts";
export * from "./compare-units.ts";
export * from "./fstab.ts";
export * from "./plan-switch.ts";
export * from "./source-record.ts";
export * from "./unit-file.ts";
