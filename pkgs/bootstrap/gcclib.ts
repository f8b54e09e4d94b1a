import { local } from "#floe/derivation";
import type { Package, Pkgs } from "#floe/package";
import { scriptPackage } from "./script-package.ts";

/** The compiler's run-time libraries, for programs of one C library. */
export function makeGcclib(
  pkgs: Pkgs,
  options: { readonly name: string; readonly libc: Package; readonly forbidden?: readonly Package[] },
): Package {
  const { name, libc, forbidden } = options;
  return scriptPackage(pkgs, {
    name,
    version: "12.2.0",
    summary: "Run-time libraries of the C and C++ compiler",
    homepage: "https://gcc.gnu.org",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    script: local("../build-side/gcclib.sh"),
    env: {
      libc,
      disallowedRequisites: forbidden,
      ...(pkgs.isCross ? { cross: pkgs["seed-cross-aarch64"] } : {}),
    },
    crossWords: {
      "$seed/lib/gcc/x86_64-linux-gnu": `$cross/lib/gcc-cross/${pkgs.platform.triple}`,
      "$seed/lib/x86_64-linux-gnu": `$cross/${pkgs.platform.triple}/lib`,
    },
  });
}
