import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";

/** The C library of programs that run during builds before there is one from source. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "seed-libc",
    version: "2.36",
    summary: "Binary C library with headers, for build tools",
    homepage: "https://www.gnu.org/software/libc/",
    license: "LGPL-2.1-or-later",
    platforms: ["x86_64-linux"],
    script: local("../../build-side/seed-libc.sh"),
    env: { debs: SEED_X86_64.libc.map(fetchPin) },
  }),
);
