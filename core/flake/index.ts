export * from "./attribute.ts";
export * from "./define-flake.ts";
export * from "./lock-file.ts";
export * from "./lock-inputs.ts";
export * from "./nix-lock/index.ts";
export * from "./reference.ts";
export * from "./resolve-inputs.ts";
export * from "./without-credentials.ts";
