import { join } from "node:path";

/** The places of a running machine that a switch reads and writes. */
export interface SwitchPaths {
  readonly etc: string;
  /** Link to the running system. */
  readonly currentSystem: string;
  /** Link to the system that was booted. */
  readonly bootedSystem: string;
  /** Lists of what is left to do, and the lock; gone after a reboot. */
  readonly run: string;
  readonly boot: string;
  readonly profiles: string;
  /** Links in it keep store paths from being collected. */
  readonly gcRoots: string;
}

/** The places below a root; `/` on a machine, a temporary directory in tests. */
export function switchPaths(root = "/"): SwitchPaths {
  return {
    etc: join(root, "etc"),
    currentSystem: join(root, "run/current-system"),
    bootedSystem: join(root, "run/booted-system"),
    run: join(root, "run/floe"),
    boot: join(root, "boot"),
    profiles: join(root, "nix/var/nix/profiles"),
    gcRoots: join(root, "nix/var/nix/gcroots"),
  };
}
