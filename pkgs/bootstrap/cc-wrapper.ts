import { local } from "#floe/derivation";
import type { Package, Pkgs } from "#floe/package";
import { scriptPackage } from "./script-package.ts";

/** The seed's compiler, told where one C library and the compiler's own libraries lie. */
export function makeCc(
  pkgs: Pkgs,
  options: { readonly name: string; readonly libc: Package; readonly gcclib: Package },
): Package {
  const { name, libc, gcclib } = options;
  return scriptPackage(pkgs, {
    name,
    version: "12.2.0",
    summary: `C and C++ compiler for ${libc.name} ${libc.version}`,
    homepage: "https://gcc.gnu.org",
    license: "GPL-3.0-or-later WITH GCC-exception-3.1",
    platforms: ["x86_64-linux"],
    mainProgram: "gcc",
    script: local("../build-side/make-cc.sh"),
    env: { wrapper: local("../build-side/cc-wrapper.sh"), libc, gcclib },
  });
}
