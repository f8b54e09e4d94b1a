// Written by `node pkgs/generate.ts` from the folders' names.
import type { Package, PackageDefinition } from "#floe/package";
import cc from "../bootstrap/cc/package.ts";
import gcclib from "./gc/gcclib/package.ts";
import glibc from "./gl/glibc/package.ts";
import linux from "./li/linux/package.ts";
import linuxHeaders from "../bootstrap/linux-headers/package.ts";
import seed from "../bootstrap/seed/package.ts";
import seedAutotools from "../bootstrap/seed-autotools/package.ts";
import seedBusybox from "../bootstrap/seed-busybox/package.ts";
import seedCc from "../bootstrap/seed-cc/package.ts";
import seedGcclib from "../bootstrap/seed-gcclib/package.ts";
import seedLibc from "../bootstrap/seed-libc/package.ts";
import seedLibelf from "../bootstrap/seed-libelf/package.ts";

/** Every package of the set by name. */
export const DEFINITIONS: Readonly<Record<string, PackageDefinition>> = {
  cc,
  gcclib,
  glibc,
  linux,
  "linux-headers": linuxHeaders,
  seed,
  "seed-autotools": seedAutotools,
  "seed-busybox": seedBusybox,
  "seed-cc": seedCc,
  "seed-gcclib": seedGcclib,
  "seed-libc": seedLibc,
  "seed-libelf": seedLibelf,
};

declare module "#floe/package" {
  interface Pkgs {
    readonly cc: Package;
    readonly gcclib: Package;
    readonly glibc: Package;
    readonly linux: Package;
    readonly "linux-headers": Package;
    readonly seed: Package;
    readonly "seed-autotools": Package;
    readonly "seed-busybox": Package;
    readonly "seed-cc": Package;
    readonly "seed-gcclib": Package;
    readonly "seed-libc": Package;
    readonly "seed-libelf": Package;
  }
}
