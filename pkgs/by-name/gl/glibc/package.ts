import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SOURCES } from "../../../sources.ts";

export default definePackage((pkgs) =>
  scriptPackage(pkgs, {
    name: "glibc",
    version: SOURCES.glibc.version,
    summary: "GNU C library",
    homepage: "https://www.gnu.org/software/libc/",
    license: "LGPL-2.1-or-later",
    platforms: ["x86_64-linux"],
    script: local("./build.sh"),
    env: {
      src: pkgs.fetchUrl(SOURCES.glibc),
      headers: pkgs["linux-headers"],
      disallowedRequisites: [pkgs.seed, pkgs["seed-libc"], pkgs["linux-headers"]],
    },
  }),
);
