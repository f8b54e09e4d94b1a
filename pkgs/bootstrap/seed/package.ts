import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../pins.ts";
import { scriptPackage } from "../script-package.ts";
import { SEED_X86_64 } from "../seed.x86_64.ts";

/** The toolchain everything is built with, and which nothing that ships may refer to. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "seed",
    version: "12",
    summary: "Binary compiler and build tools that the package set starts from",
    homepage: "https://www.debian.org",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../build-side/unpack-seed.sh"),
    env: {
      busybox: pkgs["seed-busybox"],
      debs: SEED_X86_64.toolchain.map(fetchPin),
      links: [
        "gcc=gcc-12 g++=g++-12 cpp=cpp-12 gcc-ar=gcc-ar-12 gcc-nm=gcc-nm-12 gcc-ranlib=gcc-ranlib-12",
        "awk=gawk python3=python3.11 python=python3.11 pkg-config=pkgconf yacc=bison.yacc lex=flex sh=bash",
      ],
    },
  }),
);
