export { type ByteSource, readBytes, writeBytes } from "./byte-stream.ts";
export * from "./find-program.ts";
export * from "./inherited-descriptors.ts";
export * from "./network-habits.ts";
export { ownSettingsPlaces, type SettingsPlaces, settingsFiles } from "./settings-files.ts";
export * from "./terminal.ts";
export * from "./with-terminal.ts";
