export { type FetchedNixFlake, lockNixInputs, type NixInputHost } from "./lock-nix-inputs.ts";
export { type NixInput, type NixInputs, readNixInputs } from "./nix-inputs.ts";
export {
  checkNixLock,
  EMPTY_NIX_LOCK,
  formatNixLock,
  type NixLock,
  nixLockData,
  type NixLockEdge,
  type NixLockedInput,
  parseNixLock,
} from "./nix-lock-file.ts";
export {
  checkNixReference,
  equalNixReferences,
  isPinnedNixReference,
  type NixReference,
  parseNixReference,
} from "./nix-reference.ts";
