import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";
import { seedAddition } from "../seed-addition.ts";

/** The compiler that runs here for machines of aarch64, without a C library. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "seed-cross-aarch64",
    version: "12",
    summary: "Binary cross compiler for aarch64 that its packages are built with",
    homepage: "https://www.debian.org",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../build-side/unpack-seed.sh"),
    env: { ...seedAddition(pkgs), debs: SEED_X86_64.crossAarch64.map(fetchPin) },
  }),
);
