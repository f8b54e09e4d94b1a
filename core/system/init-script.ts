import { SELF } from "./activation-script.ts";
import { binPath } from "./shell.ts";

/** What {@link formatInit} takes. */
export interface InitOptions {
  /** Store path of the package that has `bin/bash`. */
  readonly shell: string;
  readonly path: readonly string[];
  /** The program that becomes PID 1. */
  readonly init: string;
}

/**
 * The program `<toplevel>/init`, the second stage of a boot: runs as PID 1 on the real root, whose
 * /proc, /sys, /dev and /run the initial RAM disk has mounted; activates, then becomes the manager.
 *
 * A failed activation does not stop the boot: a machine that runs can be looked at. It leaves
 * `/run/floe/activation-failed` behind.
 */
export function formatInit({ shell, path, init }: InitOptions): string {
  return `#!${shell}/bin/bash
system=${SELF}
export PATH=${binPath(path)}
FLOE_ACTION=boot "$system/activate" || { mkdir -p /run/floe; : > /run/floe/activation-failed; }
ln -s "$system" /run/booted-system
# The manager starts from an environment of its own, not from what the kernel made of unknown parameters.
exec -c ${init} "$@"
`;
}
