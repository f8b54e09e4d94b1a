import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";
import { seedAddition } from "../seed-addition.ts";

/** For sources that come without a configure script. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "seed-autotools",
    version: "2.71",
    summary: "Autoconf, automake and libtool as build tools",
    homepage: "https://www.gnu.org/software/autoconf/",
    license: "GPL-3.0-or-later WITH Autoconf-exception-3.0",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../build-side/unpack-seed.sh"),
    env: {
      ...seedAddition(pkgs),
      debs: SEED_X86_64.autotools.map(fetchPin),
      relocate: true,
      links: "automake=automake-1.16 aclocal=aclocal-1.16",
    },
  }),
);
