import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";
import { seedAddition } from "../seed-addition.ts";

/** Linked by programs of the kernel's build; no part of the kernel. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "seed-libelf",
    version: "0.188",
    summary: "Library for ELF files, for build tools",
    homepage: "https://sourceware.org/elfutils/",
    license: "GPL-2.0-or-later OR LGPL-3.0-or-later",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../build-side/unpack-seed.sh"),
    env: { ...seedAddition(pkgs), debs: SEED_X86_64.libelf.map(fetchPin) },
  }),
);
