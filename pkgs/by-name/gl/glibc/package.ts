import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SOURCES } from "../../../sources.ts";

export default definePackage((pkgs) => {
  const { triple } = pkgs.platform;
  return scriptPackage(pkgs, {
    name: "glibc",
    version: SOURCES.glibc.version,
    summary: "GNU C library",
    homepage: "https://www.gnu.org/software/libc/",
    license: "LGPL-2.1-or-later",
    script: local("./build.sh"),
    env: {
      src: pkgs.fetchUrl(SOURCES.glibc),
      headers: pkgs["linux-headers"],
      disallowedRequisites: [
        pkgs.seed,
        pkgs["seed-libc"],
        pkgs["linux-headers"],
        ...(pkgs.isCross ? [pkgs["seed-cross-aarch64"]] : []),
      ],
      ...(pkgs.isCross ? { cross: pkgs["seed-cross-aarch64"], native: pkgs["seed-cc"] } : {}),
    },
    // A compiler that has a C library makes the programs of the build; all others are the target's.
    crossWords: {
      "export PATH=$seed/bin": "export PATH=$cross/bin:$seed/bin BUILD_CC=$native/bin/gcc",
      'ln -s "$seed/bin/x86_64-linux-gnu-gcc-12" compiler/gcc': `ln -s "$cross/bin/${triple}-gcc-12" compiler/gcc; ln -s "$cross/bin/${triple}-strip" compiler/strip`,
      "--host=x86_64-linux-gnu": `--host=${triple}`,
      '"$seed/lib/x86_64-linux-gnu/libgcc_s.so.1"': `"$cross/${triple}/lib/libgcc_s.so.1"`,
      '"$out/bin/getconf" GNU_LIBC_VERSION | grep -x "glibc $version"':
        'grep -aq "release version $version" "$out/lib/libc.so.6"',
    },
  });
});
