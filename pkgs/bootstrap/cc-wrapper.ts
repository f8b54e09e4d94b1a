import { local } from "#floe/derivation";
import type { Package, Pkgs } from "#floe/package";
import { scriptPackage } from "./script-package.ts";

const MAKE = local("../build-side/make-cc.sh");
const MAKE_CROSS = local("../build-side/make-cross-cc.sh");

/** The seed's compiler, told where one C library and the compiler's own libraries lie. */
export function makeCc(
  pkgs: Pkgs,
  options: { readonly name: string; readonly libc: Package; readonly gcclib: Package },
): Package {
  const { name, libc, gcclib } = options;
  const { isCross, platform } = pkgs;
  return scriptPackage(pkgs, {
    name,
    version: "12.2.0",
    summary: `C and C++ compiler for ${libc.name} ${libc.version}`,
    homepage: "https://gcc.gnu.org",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    mainProgram: "gcc",
    script: isCross ? MAKE_CROSS : MAKE,
    env: {
      wrapper: local("../build-side/cc-wrapper.sh"),
      libc,
      gcclib,
      ...(isCross
        ? {
            target: platform.triple,
            loader: platform.loader,
            cross: pkgs["seed-cross-aarch64"],
            native: pkgs["seed-cc"],
          }
        : {}),
    },
  });
}
